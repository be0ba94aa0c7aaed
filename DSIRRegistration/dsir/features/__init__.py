"""Structural representations of images: MIND-SSC, DNS and MASR-Net's deep one (DSIR)."""

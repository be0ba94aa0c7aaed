"""Carrying images, labels, points and surfaces through a transform."""

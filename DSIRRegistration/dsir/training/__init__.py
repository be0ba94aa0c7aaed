"""Self-supervised training of MASR-Net: single volumes in, a contrast-free representation out."""

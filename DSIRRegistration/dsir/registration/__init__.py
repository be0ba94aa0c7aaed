"""From two images to a transform: linear, discrete, descent."""

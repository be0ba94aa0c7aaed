"""Images, labels and points through a transform."""

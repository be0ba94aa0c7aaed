"""Images, labels and points carried through a transform."""

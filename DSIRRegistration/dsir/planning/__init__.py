"""From two DICOM studies to what a planning system imports: choose, register, propagate, write."""

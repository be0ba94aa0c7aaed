"""DICOM radiotherapy objects: series of slices, structure sets, dose."""

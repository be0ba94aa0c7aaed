"""Radiotherapy objects in DICOM: structure sets, dose, segmentations."""

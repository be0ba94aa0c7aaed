"""Scans in DICOM: what a folder holds, and one volume of it. Every command reads DICOM through :mod:`.series`."""

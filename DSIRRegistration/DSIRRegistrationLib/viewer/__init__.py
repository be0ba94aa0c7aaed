"""The panel's logic behind a browser page, on Slicer's own slice views (trame-slicer), for people without Slicer."""

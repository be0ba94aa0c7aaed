"""The one place that touches the application's slice views."""

from __future__ import annotations

import slicer
import slicer.util


def show(
    background: slicer.vtkMRMLVolumeNode,
    foreground: slicer.vtkMRMLVolumeNode | None = None,
    opacity: float = 0.0,
) -> None:
    """Put volumes into all slice views."""
    slicer.util.setSliceViewerLayers(background=background, foreground=foreground, foregroundOpacity=opacity)


def set_opacity(opacity: float) -> None:
    """Of the foreground, in all slice views."""
    slicer.util.setSliceViewerLayers(foregroundOpacity=opacity)

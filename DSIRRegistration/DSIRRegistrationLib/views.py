"""The one place that touches the application's slice views."""

from __future__ import annotations

import slicer
import slicer.util

HEAT_OPACITY = 0.6
"""Of the heat map over the scan that is searched."""


def show(
    background: slicer.vtkMRMLVolumeNode,
    foreground: slicer.vtkMRMLVolumeNode | None = None,
    opacity: float = 0.0,
) -> None:
    """Put volumes into all slice views."""
    slicer.util.setSliceViewerLayers(background=background, foreground=foreground, foregroundOpacity=opacity)


def fit(names: list[str]) -> None:
    """Let these slice views show their whole background."""
    application = getattr(slicer, "app", None)
    manager = application.layoutManager() if application is not None else None  # None without a main window
    for name in names if manager is not None else ():
        widget = manager.sliceWidget(name)
        if widget is not None:
            widget.fitSliceToBackground()


def place(node: slicer.vtkMRMLMarkupsNode) -> None:
    """Let the next click in a view place a point of ``node``."""
    selection = node.GetScene().GetNodeByID("vtkMRMLSelectionNodeSingleton")
    interaction = node.GetScene().GetNodeByID("vtkMRMLInteractionNodeSingleton")
    if selection is None or interaction is None:
        return
    selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
    selection.SetActivePlaceNodeID(node.GetID())
    interaction.SetPlaceModePersistence(0)
    interaction.SetCurrentInteractionMode(interaction.Place)


def set_opacity(opacity: float) -> None:
    """Of the foreground, in all slice views."""
    slicer.util.setSliceViewerLayers(foregroundOpacity=opacity)

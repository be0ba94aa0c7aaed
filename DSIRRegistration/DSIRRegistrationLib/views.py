"""The one place that touches the application's slice views."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util

SEARCHED = "vtkMRMLSliceNodeYellow"
"""The view that shows the scan that is searched."""


def show(
    background: slicer.vtkMRMLVolumeNode,
    foreground: slicer.vtkMRMLVolumeNode | None = None,
    opacity: float = 0.0,
) -> None:
    """Put volumes into all slice views."""
    slicer.util.setSliceViewerLayers(background=background, foreground=foreground, foregroundOpacity=opacity)


def show_match(
    here: slicer.vtkMRMLVolumeNode,
    there: slicer.vtkMRMLVolumeNode,
    heat: slicer.vtkMRMLVolumeNode,
    match: np.ndarray,
) -> None:
    """The scan that is asked in the red view; the one that is searched, under its heat map, at the match in yellow."""
    scene = here.GetScene()
    for view, background, foreground in (("Red", here, None), ("Yellow", there, heat)):
        shown = scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{view}")
        if shown is not None:
            shown.SetBackgroundVolumeID(background.GetID())
            shown.SetForegroundVolumeID(foreground.GetID() if foreground else None)
            shown.SetForegroundOpacity(0.6)
    red, yellow = (scene.GetNodeByID(f"vtkMRMLSliceNode{view}") for view in ("Red", "Yellow"))
    if red is not None and yellow is not None:
        yellow.SetOrientation(red.GetOrientation())
        yellow.JumpSliceByOffsetting(*map(float, match))


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

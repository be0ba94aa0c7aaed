"""The marks of a query in the views: the point asked for, its best match, and where the transform puts it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk

ASKED, FOUND, EXPECTED = "point asked for", "best match", "where the transform puts it"
LOOKS = {
    ASKED: ("ThickCross2D", (1.0, 0.81, 0.2), 3.4),
    EXPECTED: ("Diamond2D", (1.0, 1.0, 1.0), 2.0),
    FOUND: ("ThickCross2D", (0.2, 1.0, 0.9), 3.4),
}
"""In the order they are drawn: a match that lies where the transform puts the point must be seen."""


class Mark:
    """One of them; never saved, never in the way of the mouse.

    Args:
        views: IDs of the slice nodes that show it; all of them by default.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, what: str, *, name: str = "", views: Sequence[str] = ()) -> None:
        glyph, colour, size = LOOKS[what]
        self.node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name or what)
        self.node.SetSaveWithScene(False)
        self.node.SetLocked(True)
        self.node.CreateDefaultDisplayNodes()
        display = self.node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetSelectedColor(*colour)
        display.SetColor(*colour)
        display.SetGlyphTypeFromString(glyph)
        display.SetGlyphScale(size)
        display.SetPointLabelsVisibility(False)
        display.SetViewNodeIDs(list(views))

    @property
    def place(self) -> np.ndarray | None:
        """(3,) world RAS mm, None where it is not drawn."""
        return np.array(self.node.GetNthControlPointPositionWorld(0)) if self.node.GetNumberOfControlPoints() else None

    @place.setter
    def place(self, point: np.ndarray | None) -> None:
        if point is None:
            self.node.RemoveAllControlPoints()
        elif self.node.GetNumberOfControlPoints():
            self.node.SetNthControlPointPositionWorld(0, *map(float, point))
        else:
            self.node.AddControlPointWorld(vtk.vtkVector3d(*map(float, point)))

    def show_in(self, views: Sequence[str]) -> None:
        """Draw it in these views alone, by the IDs of their slice nodes; everywhere where there are none."""
        self.node.GetDisplayNode().SetViewNodeIDs(list(views))

    def remove(self) -> None:
        """Leave the scene."""
        if self.node.GetScene() is not None:
            self.node.GetScene().RemoveNode(self.node)

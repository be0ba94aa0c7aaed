"""A second cursor: where the point under the mouse lies in the moving scan as it was acquired."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from .nodes.transforms import map_points

NAME = "DSIR linked cursor"


class LinkedCursor:
    """Follows the crosshair of the slice views, and every change of the transform, with a marker in moving space.

    Args:
        transform: fixed to moving.

    Attributes:
        transform: the same.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, transform: slicer.vtkMRMLTransformNode) -> None:
        self.transform = transform
        self._crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        self._marker = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", NAME)
        self._marker.SetSaveWithScene(False)
        self._marker.SetHideFromEditors(True)
        self._marker.CreateDefaultDisplayNodes()
        self._marker.SetLocked(True)
        crosshair = self._crosshair
        watched = ((crosshair, crosshair.CursorPositionModifiedEvent), (transform, transform.TransformModifiedEvent))
        self._tags = [(node, node.AddObserver(event, self._follow)) for node, event in watched]

    @property
    def place(self) -> np.ndarray | None:
        """(3,) RAS mm of the marker; None before the first move."""
        if not self._marker.GetNumberOfControlPoints():
            return None
        return np.array(self._marker.GetNthControlPointPositionWorld(0))

    def close(self) -> None:
        """Take the marker away."""
        for node, tag in self._tags:
            node.RemoveObserver(tag)
        if self._marker.GetScene() is not None:
            self._marker.GetScene().RemoveNode(self._marker)

    def _follow(self, caller: vtk.vtkObject, event: str) -> None:
        point = [0.0, 0.0, 0.0]
        if not self._crosshair.GetCursorPositionRAS(point) or self._marker.GetScene() is None:
            return
        place = map_points(self.transform, np.array([point]), to_moving=True)[0]
        if self._marker.GetNumberOfControlPoints():
            self._marker.SetNthControlPointPositionWorld(0, *place)
        else:
            self._marker.AddControlPoint(vtk.vtkVector3d(*place), "moving")

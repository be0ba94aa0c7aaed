"""The point that is asked for: placed and dragged as a markup, or the mouse itself while it hovers."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import slicer
import vtk

PAUSE = 0.04
"""Seconds between two answers while the point is dragged; the last place is always answered."""

Moved = Callable[[np.ndarray], None]
"""Called with a world RAS point."""


class QueryPoint:
    """A markups node of one point.

    Args:
        moved: told of the point when it is placed, dragged (at most every :data:`PAUSE` seconds) and let go.
        touched: told before that where it was the mouse that did it.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        moved: Moved,
        *,
        touched: Callable[[], None] = lambda: None,
        name: str = "Query point",
    ) -> None:
        self.moved, self._touched, self._placing = moved, touched, False
        self.node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        self.node.SetSaveWithScene(False)
        self.node.SetMaximumNumberOfControlPoints(1)
        self.node.CreateDefaultDisplayNodes()
        display = self.node.GetDisplayNode()
        display.SetSelectedColor(1.0, 0.81, 0.2)
        display.SetActiveColor(1.0, 0.92, 0.55)
        display.SetPointLabelsVisibility(False)
        display.SetGlyphTypeFromString("Circle2D")
        display.SetGlyphScale(4.0)
        self._last = 0.0
        events = slicer.vtkMRMLMarkupsNode
        self._tags = [
            self.node.AddObserver(events.PointPositionDefinedEvent, self._settled),
            self.node.AddObserver(events.PointEndInteractionEvent, self._settled),
            self.node.AddObserver(events.PointModifiedEvent, self._dragged),
        ]

    @property
    def position(self) -> np.ndarray | None:
        """(3,) world RAS mm, or None before it is placed."""
        if not self.node.GetNumberOfDefinedControlPoints():
            return None
        return np.array(self.node.GetNthControlPointPositionWorld(0))

    def place(self, point: np.ndarray) -> None:
        """Put it there, as a click would."""
        self._placing = True
        try:
            if self.node.GetNumberOfControlPoints():
                self.node.SetNthControlPointPositionWorld(0, *map(float, point))
            else:
                self.node.AddControlPointWorld(vtk.vtkVector3d(*map(float, point)))
        finally:
            self._placing = False
        self._tell()

    def clear(self) -> None:
        """Take it back, so that the next click places it anew."""
        self.node.RemoveAllControlPoints()

    def show_in(self, views: list[str]) -> None:
        """Draw it in these views alone; everywhere where there are none."""
        self.node.GetDisplayNode().SetViewNodeIDs(views)

    def remove(self) -> None:
        """Stop listening and leave the scene."""
        for tag in self._tags:
            self.node.RemoveObserver(tag)
        if self.node.GetScene() is not None:
            self.node.GetScene().RemoveNode(self.node)

    def _settled(self, *_: object) -> None:
        if not self._placing:
            self._touched()
            self._tell()

    def _dragged(self, *_: object) -> None:
        if not self._placing and time.monotonic() - self._last >= PAUSE:
            self._touched()
            self._tell()

    def _tell(self) -> None:
        point = self.position
        if point is not None:
            self.moved(point)
            self._last = time.monotonic()  # after the answer: slow answers leave time for the views


class Hover:
    """The mouse over any slice view as a query point, while it is on.

    Args:
        moved: told of the place under the mouse, at most every :data:`PAUSE` seconds.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, moved: Moved) -> None:
        self.moved = moved
        self.crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        self._tag: int | None = None
        self._last = 0.0

    @property
    def on(self) -> bool:
        """Whether it follows the mouse."""
        return self._tag is not None

    @on.setter
    def on(self, wanted: bool) -> None:
        if wanted and self._tag is None:
            event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
            self._tag = self.crosshair.AddObserver(event, self._moved)
        elif not wanted and self._tag is not None:
            self.crosshair.RemoveObserver(self._tag)
            self._tag = None

    def _moved(self, *_: object) -> None:
        point = [0.0, 0.0, 0.0]
        if time.monotonic() - self._last < PAUSE or not self.crosshair.GetCursorPositionRAS(point):
            return
        self.moved(np.array(point))
        self._last = time.monotonic()

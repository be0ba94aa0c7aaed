"""What is written into a slice view: the patient's sides at its edges, and where the slice lies."""

from __future__ import annotations

import numpy as np
import vtk
from trame_slicer.views import SliceView

LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))
"""Names of the two ends of each RAS axis, the positive one first; LETTERS[0][0] is the patient's right."""

EDGES = ((0.015, 0.5), (0.985, 0.5), (0.5, 0.985), (0.5, 0.02))
"""Left, right, top and bottom of the view, in its own width and height."""

SIZE = 13
"""Points of the letters, at least."""

LINES = 36
"""Letters that would fill a view from top to bottom: on large screens they grow with it."""


def side_of(direction: np.ndarray) -> str:
    """The letter of the patient's side that a RAS direction points to; two where it is oblique.

    >>> side_of(np.array([-1.0, 0.0, 0.0]))
    'L'
    >>> side_of(np.array([0.0, 0.8, 0.6]))
    'AS'
    """
    unit = np.asarray(direction, dtype=float) / max(float(np.linalg.norm(direction)), 1e-12)
    order = [int(axis) for axis in np.argsort(-np.abs(unit)) if abs(unit[axis]) > 0.4]
    return "".join(LETTERS[axis][0 if unit[axis] > 0 else 1] for axis in order[:2])


def in_words(point: np.ndarray) -> str:
    """A RAS point as Slicer writes it.

    >>> in_words(np.array([-3.04, 12.0, 0.0]))
    'L 3.0  A 12.0  S 0.0'
    """
    parts = zip(LETTERS, np.asarray(point, dtype=float), strict=True)
    return "  ".join(f"{names[0 if value >= 0 else 1]} {abs(value):.1f}" for names, value in parts)


class Annotation:
    """Five texts in one view, kept up to date with its slice."""

    def __init__(self, view: SliceView) -> None:
        self.view = view
        self._edges = [_text(*place) for place in EDGES]
        self._edges[0].GetTextProperty().SetJustificationToLeft()
        self._edges[1].GetTextProperty().SetJustificationToRight()
        self._edges[2].GetTextProperty().SetVerticalJustificationToTop()
        self._edges[3].GetTextProperty().SetVerticalJustificationToBottom()
        self._offset = _text(0.985, 0.985)
        self._offset.GetTextProperty().SetJustificationToRight()
        self._offset.GetTextProperty().SetVerticalJustificationToTop()
        for actor in (*self._edges, self._offset):
            view.first_renderer().AddViewProp(actor)
        view.get_view_node().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.update())
        self.update()

    @property
    def words(self) -> tuple[str, ...]:
        """Left, right, top, bottom, and where the slice lies."""
        return tuple(actor.GetInput() for actor in (*self._edges, self._offset))

    def update(self) -> None:
        """Write what the slice's own directions say."""
        matrix = self.view.get_view_node().GetSliceToRAS()
        across, up, normal, origin = (
            np.array([matrix.GetElement(row, column) for row in range(3)]) for column in range(4)
        )
        for actor, direction in zip(self._edges, (-across, across, up, -up), strict=True):
            actor.SetInput(side_of(direction))
        points = max(SIZE, round(self.view.get_view_node().GetDimensions()[1] / LINES))
        for actor in (*self._edges, self._offset):
            actor.GetTextProperty().SetFontSize(points)
        axis = int(np.argmax(np.abs(normal)))
        value = float(origin[axis])
        self._offset.SetInput(f"{LETTERS[axis][0 if value >= 0 else 1]} {abs(value):.1f} mm")


def _text(x: float, y: float) -> vtk.vtkTextActor:
    actor = vtk.vtkTextActor()
    place = actor.GetPositionCoordinate()
    place.SetCoordinateSystemToNormalizedViewport()
    place.SetValue(x, y)
    looks = actor.GetTextProperty()
    looks.SetFontSize(SIZE)
    looks.SetColor(0.92, 0.94, 0.97)
    looks.SetShadow(True)
    looks.SetJustificationToCentered()
    looks.SetVerticalJustificationToCentered()
    return actor

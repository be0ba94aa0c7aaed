"""The deformation drawn into a slice of the fixed scan: where its grid goes, or an arrow to where each point goes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import vtk
from trame_slicer.views import SliceView
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

NONE, GRID, ARROWS = "none", "grid", "arrows"
DRAWN = (NONE, GRID, ARROWS)

SPACING = 12.0
"""mm between lines of the grid, and between arrows."""

STEP = 3.0
"""mm between the points of a line."""

COLOUR = (1.0, 0.82, 0.30)

Moves = Callable[[np.ndarray], np.ndarray]
"""Displacements (N, 3) mm at RAS points (N, 3), NaN where nothing is known."""


class Deformation:
    """Lines over one view, kept up to date with its place and size; those of arrows end in a tip."""

    def __init__(self, view: SliceView) -> None:
        self.view = view
        self.how = NONE
        self.moves: Moves | None = None
        self._data = vtk.vtkPolyData()
        place = vtk.vtkCoordinate()
        place.SetCoordinateSystemToViewport()
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self._data)
        mapper.SetTransformCoordinate(place)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(mapper)
        self._actor.GetProperty().SetColor(*COLOUR)
        self._actor.GetProperty().SetOpacity(0.85)
        self._actor.GetProperty().SetLineWidth(1.2)
        self._actor.VisibilityOff()
        view.first_renderer().AddViewProp(self._actor)
        view.get_view_node().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.update())

    def show(self, how: str, moves: Moves | None) -> None:
        """Draw as one of :data:`DRAWN`; ``moves`` is None where there is no result."""
        if (how, moves) != (self.how, self.moves):
            self.how, self.moves = how, moves
            self.update()

    def update(self) -> None:
        """Draw anew: the view's size or place has changed."""
        self._actor.SetVisibility(self.how != NONE and self.moves is not None)
        if self.how != NONE and self.moves is not None:
            lines = self._grid(self.moves) if self.how == GRID else self._arrows(self.moves)
            _fill(self._data, [line for line in lines if len(line) > 1])

    def _grid(self, moves: Moves) -> list[np.ndarray]:
        across, up, flat = self._sheet(STEP)
        moved = self._pixels(flat + moves(flat)).reshape(len(up), len(across), 2)
        every = round(SPACING / STEP)
        rows = [moved[n] for n in range(0, len(up), every)]
        return [part for line in (*rows, *moved[:, ::every].transpose(1, 0, 2)) for part in _unbroken(line)]

    def _arrows(self, moves: Moves) -> list[np.ndarray]:
        _across, _up, flat = self._sheet(SPACING)
        starts, ends = self._pixels(flat), self._pixels(flat + moves(flat))
        known = np.isfinite(ends).all(1) & (np.linalg.norm(ends - starts, axis=1) > 2)
        return [_arrow(a, b) for a, b in zip(starts[known], ends[known], strict=True)]

    def _sheet(self, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places across and up, mm, and their RAS points, row by row; lines stay where they are in the patient."""
        origin, across, up, size = self._slice()
        first = [float(origin @ axis) for axis in (across, up)]
        places = [
            np.arange(np.ceil(start / SPACING) * SPACING, start + length, step) - start
            for start, length in zip(first, size, strict=True)
        ]
        flat = origin + places[0][None, :, None] * across + places[1][:, None, None] * up
        return places[0], places[1], flat.reshape(-1, 3)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        origin, across, up, size = self._slice()
        width, height, _ = self.view.get_view_node().GetDimensions()
        away = points - origin
        return np.stack([away @ across * width / size[0], away @ up * height / size[1]], -1)

    def _slice(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]:
        """Corner, the two unit directions, and the two lengths, mm, of what the view shows."""
        node = self.view.get_view_node()
        matrix, (width, height, _) = node.GetXYToRAS(), node.GetDimensions()
        across, up, origin = (np.array([matrix.GetElement(row, column) for row in range(3)]) for column in (0, 1, 3))
        pixel = float(np.linalg.norm(across)), float(np.linalg.norm(up))
        return origin, across / pixel[0], up / pixel[1], (width * pixel[0], height * pixel[1])


def _unbroken(line: np.ndarray) -> list[np.ndarray]:
    """The stretches of a line whose points are known.

    >>> [len(part) for part in _unbroken(np.array([[0, 0], [1, 0], [np.nan, 0], [3, 0]]))]
    [2, 1]
    """
    known = np.isfinite(line).all(1)
    cuts = np.flatnonzero(np.diff(known.astype(int))) + 1
    return [part for part in np.split(line, cuts) if np.isfinite(part).all()]


def _arrow(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Shaft and tip in one stroke, pixels."""
    along = (end - start) / np.linalg.norm(end - start)
    side, tip = np.array([-along[1], along[0]]), min(5.0, 0.4 * float(np.linalg.norm(end - start)))
    return np.array([start, end, end - tip * (along + 0.6 * side), end, end - tip * (along - 0.6 * side)])


def _fill(data: vtk.vtkPolyData, lines: list[np.ndarray]) -> None:
    points, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    if lines:
        flat = np.concatenate(lines)
        points.SetData(numpy_to_vtk(np.column_stack([flat, np.zeros(len(flat))]).astype(np.float32), deep=True))
        offsets = np.cumsum([0, *map(len, lines)])
        cells.SetData(
            numpy_to_vtkIdTypeArray(offsets.astype(np.int64), deep=True),
            numpy_to_vtkIdTypeArray(np.arange(len(flat), dtype=np.int64), deep=True),
        )
    data.SetPoints(points)
    data.SetLines(cells)
    data.Modified()

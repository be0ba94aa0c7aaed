"""Which pixels of a view show the overlay: all of them, those beside a curtain, or every second square."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import vtk
from trame_slicer.core import SlicerApp
from trame_slicer.views import SliceView
from vtkmodules.util.numpy_support import numpy_to_vtk

BLEND, CURTAIN, CHECKERBOARD = "blend", "curtain", "checkerboard"
MODES = (BLEND, CURTAIN, CHECKERBOARD)

SQUARE = 24.0
"""mm, the edge of a square of the checkerboard."""

NEAR = 12
"""Pixels from the curtain at which the mouse takes hold of it."""

COLOUR = (0.30, 0.79, 0.94)


def squares(width: int, height: int, corner: tuple[float, float], pixel: tuple[float, float]) -> np.ndarray:
    """(height, width) bool: every second square of :data:`SQUARE` mm; ``corner`` mm is where the first pixel lies.

    >>> squares(4, 1, (0.0, 0.0), (12.0, 12.0)).tolist()
    [[False, False, True, True]]
    """
    across = np.floor((corner[0] + pixel[0] * np.arange(width)) / SQUARE).astype(int)
    up = np.floor((corner[1] + pixel[1] * np.arange(height)) / SQUARE).astype(int)
    return (across[None] + up[:, None]) % 2 == 1


class Stencil:
    """The stencil of one view's blend of background and foreground, kept up to date with its place and size.

    Squares stay where they are in the patient; the curtain stays where it is in the view.

    Args:
        moved: told of the curtain's place, 0 (left) to 1, when the mouse drags it.
    """

    def __init__(self, app: SlicerApp, view: SliceView, moved: Callable[[float], None]) -> None:
        self.view, self.moved = view, moved
        self.mode, self.curtain = BLEND, 0.5
        self._blend = app.app_logic.GetSliceLogic(view.get_view_node()).GetBlend()
        self._lines = [_line(0.0, 1.0, 1.5), _line(0.45, 0.55, 7.0)]
        for _source, actor in self._lines:
            view.first_renderer().AddViewProp(actor)
        self._held = False
        view.get_view_node().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.update())
        interactor = view.interactor()
        events = ("LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent")
        self._tags = {event: interactor.AddObserver(event, self._happened, 30.0) for event in events}
        self.show(BLEND, 0.5)

    def show(self, mode: str, curtain: float) -> None:
        """Show the overlay by one of :data:`MODES`; the curtain uncovers it to its right."""
        self.mode, self.curtain = mode, float(np.clip(curtain, 0.0, 1.0))
        for source, actor in self._lines:
            source.SetPoint1(self.curtain, source.GetPoint1()[1], 0.0)
            source.SetPoint2(self.curtain, source.GetPoint2()[1], 0.0)
            actor.SetVisibility(mode == CURTAIN)
        self.update()

    def update(self) -> None:
        """Cut anew: the mode, the view's size, or its place has changed."""
        if self.mode == BLEND:
            if self._blend.GetStencil() is not None:
                self._blend.SetInputConnection(1, None)
            return
        node = self.view.get_view_node()
        width, height, _ = node.GetDimensions()
        if self.mode == CURTAIN:
            shown = np.broadcast_to(np.arange(width) >= self.curtain * width, (height, width))
        else:
            shown = squares(width, height, *_place(node))
        self._blend.SetStencilData(_cut(shown))

    def _happened(self, interactor, event: str) -> None:
        x, width = interactor.GetEventPosition()[0], max(self.view.get_view_node().GetDimensions()[0], 1)
        if event == "LeftButtonPressEvent":
            self._held = self.mode == CURTAIN and abs(x - self.curtain * width) <= NEAR
            taken = self._held
        else:
            taken = self._held
            if taken:
                self.moved(float(np.clip(x / width, 0.0, 1.0)))
            self._held = taken and event == "MouseMoveEvent"
        if taken:
            interactor.GetCommand(self._tags[event]).SetAbortFlag(1)


def _place(node) -> tuple[tuple[float, float], tuple[float, float]]:
    """mm along the slice's own axes: of its first pixel, and of the way from one to the next."""
    matrix = node.GetXYToRAS()
    across, up, origin = (np.array([matrix.GetElement(row, column) for row in range(3)]) for column in (0, 1, 3))
    pixel = float(np.linalg.norm(across)), float(np.linalg.norm(up))
    return (float(origin @ across / pixel[0]), float(origin @ up / pixel[1])), pixel


def _cut(shown: np.ndarray) -> vtk.vtkImageStencilData:
    image = vtk.vtkImageData()
    image.SetDimensions(shown.shape[1], shown.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(shown, np.uint8).ravel(), deep=True))
    cutter = vtk.vtkImageToImageStencil()
    cutter.SetInputData(image)
    cutter.ThresholdByUpper(0.5)
    cutter.Update()
    return cutter.GetOutput()


def _line(bottom: float, top: float, width: float) -> tuple[vtk.vtkLineSource, vtk.vtkActor2D]:
    """An upright line across a view, in shares of its height."""
    source = vtk.vtkLineSource()
    source.SetPoint1(0.5, bottom, 0.0)
    source.SetPoint2(0.5, top, 0.0)
    place = vtk.vtkCoordinate()
    place.SetCoordinateSystemToNormalizedViewport()
    mapper = vtk.vtkPolyDataMapper2D()
    mapper.SetInputConnection(source.GetOutputPort())
    mapper.SetTransformCoordinate(place)
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*COLOUR)
    actor.GetProperty().SetLineWidth(width)
    actor.VisibilityOff()
    return source, actor

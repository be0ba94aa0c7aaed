"""Slicer's real slice views without its application: off-screen windows that follow the scene's layout.

They render volumes, heat maps, segments and markups, and take simulated mouse events, as in the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import slicer
from DSIRRegistrationLib.roles import FIXED, MOVING
from DSIRRegistrationLib.two_rows import PLANES, tag
from PIL import Image
from trame_slicer.views import SliceView
from trame_slicer.views.abstract_view import ViewProps
from trame_slicer.views.render_scheduler import NoScheduleRendering
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkCollection, vtkCommand
from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter


class View:
    """One of them, as ``layoutManager().sliceWidget(name)`` gives it."""

    def __init__(
        self, scene: slicer.vtkMRMLScene, logic: slicer.vtkMRMLApplicationLogic, name: str, orientation: str
    ) -> None:
        self.view = SliceView(scene, logic, name, scheduled_render_strategy=NoScheduleRendering())
        self.view.set_view_properties(ViewProps(orientation=orientation))

    @property
    def node(self) -> slicer.vtkMRMLSliceNode:
        """Its slice node."""
        return self.view.get_view_node()

    def fitSliceToBackground(self) -> None:
        self.view.fit_view_to_content()

    def resize(self, width: int, height: int) -> None:
        """Pixels."""
        self.view.render_window().SetSize(width, height)
        self.view._logic.ResizeSliceNode(width, height)

    def picture(self) -> Image.Image:
        """What it shows now."""
        window, logic = self.view.render_window(), self.view._logic
        for layer in (logic.GetBackgroundLayer(), logic.GetForegroundLayer()):
            layer.UpdateTransforms()  # which the application's widget does when its size changes
        window.Render()
        grab = vtkWindowToImageFilter()
        grab.SetInput(window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        wide, high, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(high, wide, -1)[::-1, :, :3]
        return Image.fromarray(np.ascontiguousarray(pixels))

    def pixel_of(self, point: np.ndarray) -> tuple[int, int]:
        """Where a world point lies in the window, from the lower left."""
        matrix = slicer.util.arrayFromVTKMatrix(self.node.GetXYToRAS())
        x, y = (np.linalg.inv(matrix) @ [*point, 1.0])[:2]
        return round(float(x)), round(float(y))

    def mouse(self, event: int, point: np.ndarray) -> None:
        """A mouse event at a world point."""
        interactor = self.view.interactor()
        interactor.SetEventInformation(*self.pixel_of(point), 0, 0, "\0", 0, None)
        interactor.InvokeEvent(event)

    def click(self, point: np.ndarray) -> None:
        """Move there, press, let go."""
        for event in (vtkCommand.MouseMoveEvent, vtkCommand.LeftButtonPressEvent, vtkCommand.LeftButtonReleaseEvent):
            self.mouse(event, point)

    def drag(self, points: list[np.ndarray]) -> None:
        """Take hold of what lies at the first point and pull it along the others."""
        self.mouse(vtkCommand.MouseMoveEvent, points[0])
        self.mouse(vtkCommand.LeftButtonPressEvent, points[0])
        for point in points[1:]:
            self.mouse(vtkCommand.MouseMoveEvent, point)
        self.mouse(vtkCommand.LeftButtonReleaseEvent, points[-1])


def add_colours(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorLogic:
    """The colour tables that every Slicer has. To be kept as long as the scene."""
    logic = slicer.vtkMRMLColorLogic()
    logic.SetMRMLScene(scene)
    logic.AddDefaultColorNodes()
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeDisplayNode", scene):
        node.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    return logic


def add_markups(application: slicer.vtkMRMLApplicationLogic) -> slicer.vtkSlicerMarkupsLogic:
    """The logic of the Markups module, by which a click places a point; to be kept as long as the scene."""
    logic = slicer.vtkSlicerMarkupsLogic()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(application.GetMRMLScene())
    application.SetModuleLogic("Markups", logic)
    return logic


ORIENTATIONS = {
    "Red": "Axial",
    "Green": "Coronal",
    "Yellow": "Sagittal",
    **{tag(side, plane): plane for side in (FIXED, MOVING) for plane in PLANES},
}
"""Name of each view to its plane; they are there before the layout asks for them."""


class LayoutManager:
    """Holds the views that layouts show, by name."""

    def __init__(
        self, scene: slicer.vtkMRMLScene, logic: slicer.vtkMRMLApplicationLogic, size: tuple[int, int] = (320, 300)
    ) -> None:
        if logic.GetSliceLogics() is None:
            logic.SetSliceLogics(vtkCollection())
        self._size = size
        self._views = {name: View(scene, logic, name, plane) for name, plane in ORIENTATIONS.items()}
        for view in self._views.values():
            view.resize(*size)

    def sliceWidget(self, name: str) -> View:
        return self._views[name]

    def picture(self, rows: list[list[str]], gap: int = 4) -> Image.Image:
        """Views in rows, by name."""
        wide, high = self._size
        whole = Image.new("RGB", (len(rows[0]) * (wide + gap) - gap, len(rows) * (high + gap) - gap), (60, 60, 60))
        for r, row in enumerate(rows):
            for c, name in enumerate(row):
                whole.paste(self.sliceWidget(name).picture(), (c * (wide + gap), r * (high + gap)))
        return whole

    def close(self) -> None:
        """Let go of the scene."""
        for view in self._views.values():
            view.view.finalize()
        self._views.clear()


@pytest.fixture
def slice_views(widget, application) -> Iterator[LayoutManager]:
    """The panel's application has real slice views."""
    colours = add_colours(application.GetMRMLScene())
    markups = add_markups(application)
    manager = slicer.app.layout_manager = LayoutManager(application.GetMRMLScene(), application)
    yield manager
    slicer.app.layout_manager = None
    widget.panel.similarity.stop()
    manager.close()
    for logic in (colours, markups):
        logic.SetMRMLScene(None)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as it is: a palette would take the colour from a heat map that few pixels have."""
    picture.save(path, optimize=True)

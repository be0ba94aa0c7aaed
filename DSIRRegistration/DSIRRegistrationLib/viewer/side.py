"""One image of the pair: its volume, its three slice views, and the marks drawn in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.files.images import read_image
from trame_slicer.core import SlicerApp
from trame_slicer.views import SliceView, ViewLayoutDefinition

from ..nodes.volumes import lattice_of
from ..nodes.windows import FITTING, show_with
from ..point_sets import LOOKS, Mark
from .annotation import Annotation

PLANES = ("Axial", "Coronal", "Sagittal")


def load_volume(app: SlicerApp, path: Path, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Read an image by the engine's own door (NIfTI, NRRD, MHA, DICOM folder).

    Raises:
        dsir.errors.DsirError: one sentence that says what is wrong with the file.
    """
    image = read_image(path)
    node = app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(image.data.numpy().transpose(2, 1, 0)))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(image.lattice.affine.ravel())
    node.SetIJKToRASMatrix(matrix)
    show_with(FITTING, node)
    return node


class Side:
    """Attributes: name (``"fixed"`` or ``"moving"``), volume, views by plane, in the order of :data:`PLANES`."""

    def __init__(self, app: SlicerApp, name: str, volume: slicer.vtkMRMLScalarVolumeNode) -> None:
        self.name, self.volume = name, volume
        self.views: list[SliceView] = [app.view_manager.create_view(d) for d in definitions(name)]
        for view in self.views:
            view.render_window().SetMultiSamples(0)  # without a graphics card half of the time, for lines and letters
            view.set_background_volume_id(volume.GetID())
            view.fit_view_to_content()
        self.annotations = [Annotation(view) for view in self.views]
        shown_in = [view.get_view_node_id() for view in self.views]
        self._marks = {what: Mark(app.scene, what, name=f"{what} ({name})", views=shown_in) for what in LOOKS}

    def mark(self, what: str, point: np.ndarray | None) -> None:
        """Draw a mark at a world point, or none."""
        self._marks[what].place = point

    def jump(self, point: np.ndarray) -> None:
        """Bring all three planes through a world point."""
        for view in self.views:
            with view.trigger_modified_once():
                view.get_view_node().JumpSliceByOffsetting(*map(float, point))

    def overlay(self, volume: slicer.vtkMRMLScalarVolumeNode | None, opacity: float) -> None:
        """Lay another volume over the image."""
        identity = volume.GetID() if volume is not None else None
        for view in self.views:
            if view.get_foreground_volume_id() != identity:
                view.set_foreground_volume_id(identity)
            view.set_foreground_opacity(opacity)

    def fit(self) -> None:
        """Show the whole image in every view, however large the views have become."""
        for view in self.views:
            view.fit_view_to_content()

    def value(self, point: np.ndarray) -> tuple[float, tuple[int, int, int]] | None:
        """The nearest voxel's value and index (I, J, K) at a world point; None outside."""
        lattice = lattice_of(self.volume)
        if not bool(lattice.contains(point)):
            return None
        i, j, k = (int(v) for v in np.clip(np.rint(lattice.to_index(point)), 0, np.array(lattice.shape) - 1))
        return float(slicer.util.arrayFromVolume(self.volume)[k, j, i]), (i, j, k)

    def redraw(self) -> None:
        """Ask for new pictures."""
        for view in self.views:
            view.schedule_render()


def definitions(side: str) -> list[ViewLayoutDefinition]:
    """The three views of a side, in order."""
    return [
        getattr(ViewLayoutDefinition, f"{plane.lower()}_view")(label=f"{side.capitalize()}{plane}") for plane in PLANES
    ]

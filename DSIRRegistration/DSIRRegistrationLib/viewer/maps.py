"""Maps of a result over the fixed scan: volume change, length of the displacement, confidence; each with its legend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.geometry.lattice import Lattice
from scipy.ndimage import map_coordinates

from ..nodes.colours import MAGMA, SHRINK_GROW, VIRIDIS, Anchors, between, colour_table
from ..nodes.transforms import transform_of
from ..nodes.volumes import image_of, lattice_of, read_array
from .deformation import Moves

if TYPE_CHECKING:
    from dsir.transforms.field import DisplacementField

JACOBIAN, LENGTH, CONFIDENCE = "Jacobian", "displacement", "confidence"

SAMPLES = 2.0
"""mm between the samples of a field that is only looked at."""

NOTHING = -1e6
"""Value of what a map does not show."""

COSINE = "similarity"


@dataclass(frozen=True)
class Legend:
    """What the colours of a map mean.

    Attributes:
        title: the quantity and its unit.
        ends: written below the lowest, the middle and the highest colour.
        said: one more line: what the map's own values are.
    """

    title: str
    anchors: Anchors
    ends: tuple[str, str, str]
    said: str = ""

    @property
    def gradient(self) -> str:
        """As CSS writes it."""
        colours = (between(self.anchors, share) for share in np.linspace(0, 1, 13))
        return ",".join("#" + "".join(f"{round(255 * part):02x}" for part in colour) for colour in colours)

    def as_state(self) -> dict[str, Any]:
        """As the page takes it."""
        return {"title": self.title, "gradient": self.gradient, "ends": list(self.ends), "said": self.said}


HEAT = Legend("similarity (cosine)", MAGMA, ("0", "0.5", "1"))


@dataclass(frozen=True, eq=False)
class Map:
    """A volume of the scene and its legend."""

    volume: slicer.vtkMRMLScalarVolumeNode
    legend: Legend


class Maps:
    """Made when they are first asked for, forgotten when the result changes."""

    def __init__(self, fixed: slicer.vtkMRMLScalarVolumeNode) -> None:
        self.fixed = fixed
        self._made: dict[str, Map] = {}
        self._displacement: DisplacementField | None = None
        self._moves: Moves | None = None
        self._inside: np.ndarray | None = None
        self._colours: dict[str, slicer.vtkMRMLColorTableNode] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._made

    def get(self, name: str, transform: slicer.vtkMRMLTransformNode) -> Map | None:
        """One of the maps; None where it has to be computed by the engine first (the confidence)."""
        makers: dict[str, Callable] = {JACOBIAN: self._jacobian, LENGTH: self._length}
        if name not in self._made and name in makers:
            self._made[name] = makers[name](transform)
        return self._made.get(name)

    def place_confidence(self, file: Path, affine: np.ndarray, *, doubtful: float, calibrated: bool) -> None:
        """Take over what ``dsir confidence`` wrote."""
        said = f"violet is where not to trust the result, {100 * doubtful:.0f} % of the body below 0.5"
        if not calibrated:
            said += "; this descriptor is not calibrated, so only the order counts"
        legend = Legend("confidence: chance to be within 4 mm", VIRIDIS, ("0", "0.5", "1"), said)
        self._made[CONFIDENCE] = Map(self._volume(CONFIDENCE, read_array(file), affine, legend, (0.0, 1.0)), legend)

    def forget(self) -> None:
        """The result has changed."""
        for made in self._made.values():
            self.fixed.GetScene().RemoveNode(made.volume)
        self._made.clear()
        self._displacement = self._moves = None

    def _jacobian(self, transform: slicer.vtkMRMLTransformNode) -> Map:
        from dsir.transforms.jacobian import determinant

        field = self._field(transform)
        values, body = determinant(field).numpy(), self._body()
        said = f"{values[body].min():.2f} to {values[body].max():.2f} in the body; below 0 it folds"
        legend = Legend("Jacobian determinant", SHRINK_GROW, ("0.5", "1", "1.5"), said)
        values[~body] = NOTHING
        return Map(self._volume(JACOBIAN, values, field.lattice.affine, legend, (0.5, 1.5)), legend)

    def _length(self, transform: slicer.vtkMRMLTransformNode) -> Map:
        field = self._field(transform)
        values, body = field.vectors.norm(dim=0).numpy(), self._body()
        top = max(1.0, float(np.ceil(np.percentile(values[body], 99.5))))
        said = f"{values[body].min():.1f} to {values[body].max():.1f} mm in the body"
        values[~body] = NOTHING
        legend = Legend("displacement (mm)", MAGMA, ("0", f"{top / 2:g}", f"{top:g}"), said)
        return Map(self._volume(LENGTH, values, field.lattice.affine, legend, (0.0, top)), legend)

    def moves(self, transform: slicer.vtkMRMLTransformNode) -> Moves:
        """Displacements at any points, by the field that the maps are made of."""
        if self._moves is None:
            field = self._field(transform)
            vectors, lattice = field.vectors.numpy(), field.lattice

            def moves(points: np.ndarray) -> np.ndarray:
                index = lattice.to_index(points).T
                return np.stack([map_coordinates(part, index, order=1, cval=np.nan) for part in vectors], -1)

            self._moves = moves
        return self._moves

    def _field(self, transform: slicer.vtkMRMLTransformNode) -> DisplacementField:
        if self._displacement is None:
            self._displacement = transform_of(transform, lattice_of(self.fixed)).displacement(self._samples)
        return self._displacement

    @property
    def _samples(self) -> Lattice:
        lattice = lattice_of(self.fixed)
        return lattice.with_spacing(np.maximum(lattice.spacing, SAMPLES))

    def _body(self) -> np.ndarray:
        """(I, J, K) bool of the fixed scan, on the samples: what moves outside of it is nobody's."""
        from dsir.geometry.body_mask import body_mask

        if self._inside is None:
            self._inside = body_mask(image_of(self.fixed).on(self._samples)).numpy()
        return self._inside

    def _volume(
        self, name: str, values: np.ndarray, affine: np.ndarray, legend: Legend, shown: tuple[float, float]
    ) -> slicer.vtkMRMLScalarVolumeNode:
        scene = self.fixed.GetScene()
        if name not in self._colours:
            self._colours[name] = colour_table(scene, f"DSIR {name}", legend.anchors)
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(values.transpose(2, 1, 0), np.float32))
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(np.asarray(affine, dtype=float).ravel())
        node.SetIJKToRASMatrix(matrix)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAndObserveColorNodeID(self._colours[name].GetID())
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(*shown)
        display.AutoThresholdOff()
        display.SetThreshold(NOTHING / 1e3, -NOTHING)
        display.ApplyThresholdOn()
        return node

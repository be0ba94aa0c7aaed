"""Two volumes whose voxels can be asked for each other: features, answers and matches."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice
from dsir.progress import Progress, silent, within
from dsir.similarity.calibration import chance_within
from dsir.similarity.query import Answer, query
from dsir.similarity.store import FeatureStore, read_store

from . import worker
from .engine_process import Launcher, PythonProcess
from .heatmap import HeatMap
from .nodes.transforms import map_points
from .nodes.volumes import array_of, write_array
from .roles import FIXED, MOVING, OTHER

if TYPE_CHECKING:
    Volume: TypeAlias = slicer.vtkMRMLScalarVolumeNode


@dataclass(frozen=True, eq=False)
class Shown:
    """What one click brought; points are world RAS mm.

    Attributes:
        side: ``"fixed"`` or ``"moving"``: where the point was set.
        point: the point.
        match: the best match in the other image.
        expected: where the transform puts the point in the other image; None without one.
        apart: mm between the two, None without a transform.
        chance: calibrated probability that the match is within 4 mm of the truth; None where it is not known.
        answer: in the searched volume's own coordinates.
    """

    side: str
    point: np.ndarray
    match: np.ndarray
    expected: np.ndarray | None
    apart: float | None
    chance: float | None
    answer: Answer

    @property
    def sentence(self) -> str:
        """What is told under the views."""
        words = [f"similarity {self.answer.best.similarity:.2f}"]
        if self.chance is not None:
            words.append(f"{100 * self.chance:.0f} % chance to be within 4 mm")
        if self.apart is not None:
            words.append(f"{self.apart:.1f} mm from where the transform puts it")
        return ", ".join(words)


class Similarity:
    """A pair of volumes, their features, and the heat map.

    Features live in each volume's own coordinates, so a transform applied to the moving volume (before or after a
    registration) changes nothing but where things are shown.
    """

    def __init__(self, fixed: Volume, moving: Volume, *, launch: Launcher = PythonProcess) -> None:
        self.volumes = {FIXED: fixed, MOVING: moving}
        self.launch = launch
        self.transform: slicer.vtkMRMLTransformNode | None = None
        self.heat = HeatMap(fixed.GetScene())
        self._stores: dict[tuple[str, str], FeatureStore] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._memory: dict[str, np.ndarray] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="dsir-features-", ignore_cleanup_errors=True)

    def ready(self, descriptor: str) -> bool:
        """Whether the features of both volumes are there and not stale."""
        return all(
            (side, descriptor) in self._stores and self._seen[side, descriptor] == _stamp(volume)
            for side, volume in self.volumes.items()
        )

    def compute(self, descriptor: str, *, progress: Progress = silent) -> Generator[None, None, None]:
        """Compute what is missing or stale, in a process of its own; yields while that works."""
        for number, (side, volume) in enumerate(self.volumes.items()):
            key, stamp = (side, descriptor), _stamp(volume)
            if key in self._stores and self._seen[key] == stamp:
                continue
            folder = Path(self._folder.name) / f"{side}-{Path(descriptor).stem}-{stamp}"
            folder.mkdir(exist_ok=True)
            write_array(folder / "scan.nii", array_of(volume), own_lattice(volume))
            words = ["describe", "--input", str(folder / "scan.nii"), "--out", str(folder / "features.npy")]
            yield from worker.run(
                [*words, "--descriptor", descriptor, "--overwrite"],
                folder,
                launch=self.launch,
                progress=within(progress, number / 2, (number + 1) / 2),
                inputs={str(folder / "scan.nii"): volume.GetName()},
            )
            self._stores[key], self._seen[key] = read_store(folder / "features.npy"), stamp
        progress("features", 1.0, "ready")

    def ask(
        self,
        side: str,
        point: np.ndarray,
        descriptor: str,
        *,
        radius: float | None = None,
        runners_up: int = 4,
        alone: bool = False,
    ) -> Shown:
        """Look for a point (world RAS) of one side in the other, and show the heat map there.

        Args:
            radius: mm around where the transform puts the point (or the point itself); everywhere by default.
            alone: ask by the voxel's own vector; else its surroundings must fit too.

        Raises:
            DsirError: outside, in the air, or the features are missing or stale.
        """
        here, there = self.volumes[side], self.volumes[OTHER[side]]
        stores = [self._fresh(s, descriptor) for s in (side, OTHER[side])]
        local = _to_own(here, point)
        expected = self.expected(side, point)
        around = None if radius is None else _to_own(there, point if expected is None else expected)
        answer = query(
            stores[0], local, stores[1], around=around, radius=radius, runners_up=runners_up, alone=alone,
            out=self._heat_memory(OTHER[side], stores[1]) if alone else None,
        )  # fmt: skip
        self.heat.show(answer, there)
        match = _to_world(there, answer.best.point)
        apart = None if expected is None else float(np.linalg.norm(answer.best.point - _to_own(there, expected)))
        chance = chance_within(answer, stores[1].descriptor)
        return Shown(side, np.asarray(point, dtype=float), match, expected, apart, chance, answer)

    def _fresh(self, side: str, descriptor: str) -> FeatureStore:
        store, name = self._stores.get((side, descriptor)), self.volumes[side].GetName()
        if store is None:
            raise DsirError(f"The features of {name} are not computed yet.")
        if self._seen[side, descriptor] != _stamp(self.volumes[side]):
            raise DsirError(f"{name} has changed since its features were computed; compute them again.")
        return store

    def expected(self, side: str, point: np.ndarray) -> np.ndarray | None:
        """World RAS of where the transform puts the point; the point itself where the moving volume is warped."""
        if self.volumes[MOVING].GetParentTransformNode() is not None:
            return np.asarray(point, dtype=float)
        if self.transform is None:
            return None
        return map_points(self.transform, np.asarray(point)[None], to_moving=side == FIXED)[0]

    def _heat_memory(self, side: str, store: FeatureStore) -> np.ndarray:
        memory = self._memory.get(side)
        if memory is None or memory.shape != store.lattice.shape:
            memory = self._memory[side] = np.empty(store.lattice.shape, np.float32)
        return memory

    def remove(self) -> None:
        """Take the heat map out of the scene and delete the features."""
        self.heat.remove()
        self._stores.clear()
        self._folder.cleanup()


def own_lattice(volume: Volume) -> Lattice:
    """Where the voxels lie in the volume's own coordinates, before any transform of the scene."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return Lattice(volume.GetImageData().GetDimensions(), slicer.util.arrayFromVTKMatrix(matrix))


def _stamp(volume: Volume) -> int:
    data = volume.GetImageData()
    return data.GetMTime() if data is not None else 0


def _to_own(volume: Volume, point: np.ndarray) -> np.ndarray:
    return _through(None, volume.GetParentTransformNode(), point)


def _to_world(volume: Volume, point: np.ndarray) -> np.ndarray:
    return _through(volume.GetParentTransformNode(), None, point)


def _through(
    source: slicer.vtkMRMLTransformNode | None, target: slicer.vtkMRMLTransformNode | None, point: np.ndarray
) -> np.ndarray:
    if source is None and target is None:
        return np.asarray(point, dtype=float)
    whole = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, whole)
    return np.array(whole.TransformPoint(*map(float, point)))

"""Where not to trust a result: the engine's map of confidence as a volume, and a figure for each structure."""

from __future__ import annotations

import csv
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.progress import Progress

from . import worker
from .engine_process import Launcher
from .nodes.segments import names
from .nodes.slabs import read_slabs
from .nodes.volumes import write_array
from .structure_files import Propagated


@dataclass(frozen=True, eq=False)
class Confidence:
    """What came back from the engine, not yet in the scene.

    Attributes:
        image, affine: the map, 0 to 1, and where it lies in the world, RAS mm.
        facts: ``doubtful`` (share of the body), ``calibrated``, and for each structure by name ``confidence``,
            ``doubtful`` and ``distance_mm``.
    """

    image: vtk.vtkImageData
    affine: np.ndarray
    facts: dict[str, Any]


def confidence(
    folder: Path, transform: Path, propagated: Propagated | None, fixed: Any, *, launch: Launcher, progress: Progress
) -> Generator[bool | None, None, Confidence]:
    """Judge a transform in the run's folder, where the scans lie already; ``fixed`` is their fixed lattice."""
    out = folder / "confidence.nii"
    arguments = ["confidence", "--fixed", str(folder / "fixed.nii"), "--moving", str(folder / "moving.nii")]
    arguments += ["--transform", str(transform), "--out", str(out)]
    masks = _masks(propagated)
    if masks:
        labels = np.zeros(fixed.shape, np.int16)
        for value, name in enumerate(masks, start=1):
            labels[masks[name]] = value
            yield True
        write_array(folder / "structures.nii", labels, fixed)
        with (folder / "structures.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("value", "name"), *enumerate(masks, start=1)])
        arguments += ["--labels", str(folder / "structures.nii"), "--names", str(folder / "structures.csv")]
        yield True
    words = yield from worker.run(arguments, folder, launch=launch, progress=progress)
    image = yield from read_slabs(out)
    facts = {name: words[name] for name in ("doubtful", "calibrated", "structures")}
    return Confidence(image, np.array(words["affine"]), facts)


def place_confidence(
    found: Confidence, scene: slicer.vtkMRMLScene, *, name: str, target: slicer.vtkMRMLScalarVolumeNode | None
) -> slicer.vtkMRMLScalarVolumeNode:
    """Put the map into the scene; it has voxels of its own."""
    node = target or scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(1.0, 0.5)
    node.SetAndObserveTransformNodeID(None)
    node.SetAndObserveImageData(found.image)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(found.affine))
    return node


def _masks(propagated: Propagated | None) -> dict[str, np.ndarray]:
    """Segments by name, the largest first: where two overlap the smaller one is judged whole."""
    found: dict[str, np.ndarray] = {}
    for node in propagated.nodes if propagated else ():
        called = names(node) if node.GetID() in propagated.masks else {}
        for segment, mask in propagated.masks.get(node.GetID(), {}).items():
            found[called[segment]] = mask
    return dict(sorted(found.items(), key=lambda item: -np.count_nonzero(item[1])))

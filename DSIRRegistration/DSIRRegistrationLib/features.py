"""The structural descriptor of a volume, by the engine, as a vector volume."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import slicer
from dsir.progress import Progress

from . import worker
from .engine_process import Launcher
from .nodes.scene import all_or_nothing
from .nodes.volumes import lattice_of, place_vectors, read_array, write_volume


def features(
    volume: slicer.vtkMRMLScalarVolumeNode,
    descriptor: str,
    spacing: float,
    mask: slicer.vtkMRMLLabelMapVolumeNode | None,
    launch: Launcher,
    progress: Progress,
) -> Generator[None, None, slicer.vtkMRMLVectorVolumeNode]:
    """Describe every voxel in small steps; the engine's own descriptor where it is empty, its spacing where that is 0.

    Raises:
        dsir.errors.DsirError: what the engine refuses; the scene is then as it was.
    """
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_volume(folder / "scan.nii", volume)
        arguments = ["features", "--input", str(folder / "scan.nii"), "--out", str(folder / "features.nii")]
        if descriptor:
            arguments += ["--descriptor", descriptor]
        if spacing:
            arguments += ["--spacing", str(spacing)]
        if mask is not None:
            write_volume(folder / "mask.nii", mask)
            arguments += ["--mask", str(folder / "mask.nii")]
        inputs = {str(folder / "scan.nii"): "The volume", str(folder / "mask.nii"): "the mask"}
        words = yield from worker.run(arguments, folder, launch=launch, progress=progress, inputs=inputs)
        values = read_array(folder / "features.nii")
        lattice = lattice_of(volume).with_spacing(float(words["spacing"]))
    with all_or_nothing(volume.GetScene()):
        return place_vectors(values, lattice, volume, name=f"{volume.GetName()} features")

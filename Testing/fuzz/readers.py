"""Every reader of the engine: how a good file of its kind is made, and what is done with a spoiled one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from dsir.errors import DsirError
from dsir.files.displacements import write_displacement_nifti
from dsir.files.images import read_image, read_labels, write_image, write_labels
from dsir.files.landmarks import LandmarkPairs, read_landmarks, write_landmarks
from dsir.files.meshes import read_mesh
from dsir.files.points import read_points
from dsir.files.transforms import read_transform, write_transform
from dsir.geometry.image import Image
from dsir.transforms.composite import Transform

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from grids import field_of, lattice
from surfaces import SURFACES

GRID = lattice((9, 8, 7))


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        name: of its file, which may lie in a folder of its own.
        make: writes good files into a folder; gives those to spoil.
        read: what is done with a spoiled one; ``None`` is its result, a DsirError its refusal.
    """

    name: str
    make: Callable[[Path], list[Path]]
    read: Callable[[Path], object]


def _image(kind: str, read: Callable = read_image) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        values = torch.rand(*GRID.shape, generator=torch.Generator().manual_seed(0))
        write_image(folder / f"a{kind}", Image(values, GRID))
        write_labels(folder / f"b{kind}", (values * 3).int(), GRID)
        return [folder / f"a{kind}", folder / f"b{kind}"]

    return make


def _both(path: Path) -> None:
    """As an image and as labels; one of them has to be right."""
    try:
        read_image(path)
    except DsirError:
        read_labels(path)


def _mesh(kind: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        files = [name for name in SURFACES if name.endswith(kind)]
        for name in files:
            (folder / name).write_bytes(SURFACES[name])
        return [folder / name for name in files]

    return make


def _read_mesh(path: Path) -> None:
    mesh = read_mesh(path)
    mesh.write(path.with_name(f"out{path.suffix}"), mesh.points + 1, mesh.normals)


def _vtk_mesh(path: Path) -> None:
    """VTK's own reader of the same file, for comparison."""
    import vtk

    vtk.vtkObject.GlobalWarningDisplayOff()
    kinds = {".ply": "PLY", ".stl": "STL", ".vtk": "PolyData", ".vtp": "XMLPolyData"}
    reader = getattr(vtk, f"vtk{kinds[path.suffix]}Reader")()
    reader.SetFileName(str(path))
    reader.Update()
    reader.GetOutput().GetNumberOfPoints()


def _transform(kind: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        path = folder / f"t{kind}"
        if kind.startswith(".nii"):
            write_displacement_nifti(path, field_of(GRID))
        elif kind in (".mha", ".nrrd"):
            vectors = field_of(GRID).vectors.numpy().transpose(3, 2, 1, 0)
            sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(vectors), isVector=True), str(path))
        elif kind == ".mat":
            sitk.WriteTransform(sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1), str(path))
        else:
            write_transform(path, Transform((field_of(lattice((4, 4, 4))),)))
        return [path]

    return make


def _text(name: str, *texts: str) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        paths = [folder / f"{n}{name}" for n in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        return paths

    return make


def _markups() -> str:
    points = [{"label": f"F-{n}", "position": [n, 2.0, 3.5], "positionStatus": "defined"} for n in range(3)]
    of = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": points}
    return json.dumps({"@schema": "markups-schema-v1.0.3.json#", "markups": [of]}, indent=1)


def _read_points(path: Path) -> None:
    file = read_points(path)
    file.write(path.with_name(f"out{path.suffix}"), file.points + 1)


def _landmarks(folder: Path) -> list[Path]:
    points = np.arange(12.0).reshape(4, 3)
    write_landmarks(folder / "l.csv", LandmarkPairs(points, points + 1, np.full(4, 2.0), np.ones(4)))
    return [folder / "l.csv"]


def _segmentation(folder: Path) -> list[Path]:
    from dsir.structures.segmentations import from_mask, write_segmentation

    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[2:6, 2:6, 2:5] = True
    made = [from_mask(mask, GRID, name=f"Läsion {n}", number=n) for n in (1, 2)]
    write_segmentation(folder / "s.seg.nrrd", made, GRID)
    write_segmentation(folder / "one.seg.nrrd", made[:1], GRID)
    return [folder / "s.seg.nrrd", folder / "one.seg.nrrd"]


def _read_segmentation(path: Path) -> None:
    from dsir.structures.segmentations import read_segmentation

    read_segmentation(path)


def _rtstruct(folder: Path) -> list[Path]:
    from dicom_made import ball, make_rtstruct, make_series

    grid = lattice((24, 22, 9), (3.0, 3.0, 3.0))
    make_series(folder / "ct", grid)
    from dsir.dicom.series import read_series

    series = read_series(folder / "ct")
    make_rtstruct(folder / "rs.dcm", grid, {"GTV": ball(grid, grid.centre, 9.0)}, frame=series.frame_of_reference)
    return [folder / "rs.dcm"]


def _read_rtstruct(path: Path) -> None:
    from dsir.dicom.series import read_series
    from dsir.rt.structures_in import read_rtstruct

    if not hasattr(_read_rtstruct, "series"):
        _read_rtstruct.series = read_series(path.parent / "ct")
    read_rtstruct(path, _read_rtstruct.series)


def _rtdose(folder: Path) -> list[Path]:
    from test_rt_bad_input import make_dose

    make_dose(folder / "dose.dcm", lattice((8, 7, 6)))
    return [folder / "dose.dcm"]


def _segmentation_object(folder: Path) -> list[Path]:
    from test_dicom_missing_tags import made_segmentation

    return [made_segmentation(folder / "seg.dcm"), made_segmentation(folder / "map.dcm", "LABELMAP")]


def _read_segmentation_object(path: Path) -> None:
    from dsir.rt.segmentation_in import read_segmentation_object

    read_segmentation_object(path)


def _enhanced(folder: Path) -> list[Path]:
    from dicom_made import enhanced

    return [enhanced(folder / "e.dcm", [0.0, 3.0, 6.0])]


def _read_dose(path: Path) -> None:
    from dsir.rt.dose import read_dose

    read_dose(path)


def _settings(folder: Path) -> list[Path]:
    from dsir.registration.settings import RegistrationSettings

    (folder / "s.json").write_text(json.dumps(RegistrationSettings().to_json(), indent=1))
    return [folder / "s.json"]


def _read_settings(path: Path) -> None:
    from dsir.cli.settings_file import read_settings_file
    from dsir.registration.settings import RegistrationSettings

    RegistrationSettings.from_json(read_settings_file(path))


def _weights(folder: Path) -> list[Path]:
    from dsir.features.masrnet import MasrNet, MasrNetSettings
    from dsir.features.weights import write_weights

    settings = MasrNetSettings()
    write_weights(folder / "w.safetensors", MasrNet(settings), settings, {"steps": 1, "spacing": 2.0})
    return [folder / "w.safetensors"]


def _read_weights(path: Path) -> None:
    from dsir.features.descriptor import load_descriptor

    load_descriptor(str(path))


def _affine(path: Path) -> None:
    read_transform(path, convention="ras")


def _training(folder: Path) -> tuple:
    from torch import nn, optim

    model, average = nn.Conv3d(1, 4, 3), nn.Conv3d(1, 4, 3)
    optimiser = optim.AdamW(model.parameters())
    model(torch.zeros(1, 1, 4, 4, 4)).sum().backward()
    optimiser.step()
    return folder, model, average, optimiser


def _checkpoint(folder: Path) -> list[Path]:
    from dsir.training.checkpoint import Progressed, save_checkpoint

    save_checkpoint(*_training(folder), Progressed(3, 4.0))
    return [folder / "checkpoint.safetensors"]


def _read_checkpoint(path: Path) -> None:
    from dsir.training.checkpoint import load_checkpoint

    load_checkpoint(*_training(path.parent))


CSV = ("name,R,A,S,colour\nleft,1.5,-2,3,red\nb,10,20,30,blue\n", "1,2,3\n4,5,6\n")
AFFINE = "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
AFFINE += "Parameters: 1 0 0 0 1 0 0 0 1 5 6 7\nFixedParameters: 0 0 0\n"

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        *(Reader(f"image {kind}", _image(kind), _both) for kind in (".nii", ".nii.gz", ".nrrd", ".mha")),
        *(Reader(f"mesh {kind}", _mesh(kind), _read_mesh) for kind in (".stl", ".ply", ".vtk", ".vtp", ".obj", ".gii")),
        *(Reader(f"transform {kind}", _transform(kind), read_transform) for kind in (".nii.gz", ".mha", ".nrrd")),
        *(Reader(f"transform {kind}", _transform(kind), read_transform) for kind in (".h5", ".tfm", ".mat")),
        Reader("affine .txt", _text(".txt", AFFINE, "1 0 0 5\n0 1 0 7\n0 0 1 9\n0 0 0 1\n"), _affine),
        Reader("points .mrk.json", _text(".mrk.json", _markups()), _read_points),
        Reader("points .csv", _text(".csv", *CSV), _read_points),
        Reader("landmarks .csv", _landmarks, read_landmarks),
        Reader("segmentation .seg.nrrd", _segmentation, _read_segmentation),
        Reader("RTSTRUCT", _rtstruct, _read_rtstruct),
        Reader("RTDOSE", _rtdose, _read_dose),
        Reader("SEG", _segmentation_object, _read_segmentation_object),
        Reader("enhanced DICOM", _enhanced, lambda path: read_image(path) and None),
        Reader("settings .json", _settings, _read_settings),
        Reader("weights .safetensors", _weights, _read_weights),
        Reader("checkpoint", _checkpoint, _read_checkpoint),
    )
}

COMPARED: dict[str, Reader] = {
    f"VTK's {kind}": Reader(f"VTK's {kind}", _mesh(kind), _vtk_mesh) for kind in (".stl", ".ply", ".vtk", ".vtp")
}
"""Libraries' own readers, which are asked for by name only."""

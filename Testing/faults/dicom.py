"""Kinds B, F, G and I: DICOM that goes unchecked, is read twice, is typed by its first slice, or lacks a tag."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from dicom_made import ball, enhanced, make_rtstruct, make_series
from dsir.geometry.lattice import Lattice
from pydicom.uid import generate_uid
from test_dicom_missing_tags import made_dose, made_segmentation

from .table import Row, Run, refused

GRID = Lattice((14, 12, 9), np.diag([-2.0, -2.5, 3.0, 1.0]))
IDENTITY = (
    "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
    "Parameters: 1 0 0 0 1 0 0 0 1 0 0 0\nFixedParameters: 0 0 0\n"
)


def scan(change: Callable[[Path], None] = lambda folder: None) -> Callable[[Path], None]:
    """A CT in ``ct``, then changed, and the identity beside it."""

    def make(folder: Path) -> None:
        make_series(folder / "ct", GRID, frame="1.2")
        (folder / "id.tfm").write_text(IDENTITY)
        change(folder)

    return make


def carried(what: str, name: str) -> tuple[str, ...]:
    return ("apply", "-t", "{}/id.tfm", "--reference", "{}/ct", f"--{what}", f"{{}}/{name}", "-o", "{}/x.nii.gz")


def each(change: Callable[[int, pydicom.Dataset], None]) -> Callable[[Path], None]:
    """Change every slice."""

    def make(folder: Path) -> None:
        for k, path in enumerate(sorted((folder / "ct").glob("*.dcm"))):
            dataset = pydicom.dcmread(path)
            change(k, dataset)
            dataset.save_as(path)

    return make


def mixed(folder: Path) -> None:
    make_rtstruct(folder / "ct/rs.dcm", GRID, {"a": ball(GRID, GRID.centre, 6)}, frame="1.2")
    made_dose(folder / "ct/dose.dcm")
    shutil.copy(folder / "ct/slice_003.dcm", folder / "ct/copy.dcm")


def again(folder: Path) -> None:
    for path in sorted((folder / "ct").glob("*.dcm"))[:3]:
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.save_as(path.with_name("again_" + path.name))


def slopes(k: int, dataset: pydicom.Dataset) -> None:
    dataset.RescaleSlope, dataset.RescaleIntercept = (1 if k == 0 else 0.125), 0
    dataset.PixelData = np.full((12, 14), 101, np.uint16).tobytes()


def fractions(folder: Path, run: Run) -> str:
    if run.code:
        return run.said
    values = nib.load(folder / "x.nii.gz").get_fdata()
    return "" if np.allclose(values[..., 1:], 12.625, atol=1e-3) else "values were cut to whole numbers"


def organs(folder: Path, run: Run) -> str:
    if run.code:
        return run.said
    values = np.asarray(nib.load(folder / "x.nii.gz").dataobj)
    return "" if set(np.unique(values)) == {0, 1, 2} else f"labels {sorted(set(np.unique(values)))}"


def done(folder: Path, run: Run) -> str:
    return "" if run.code == 0 else run.said


def says(*words: str) -> Callable[[Path, Run], str]:
    def check(folder: Path, run: Run) -> str:
        return "" if run.code == 0 and all(word in run.said for word in words) else run.said[-200:]

    return check


def without(tag: str) -> Callable[[Path], None]:
    return each(lambda k, d: delattr(d, tag))


ROWS = [
    Row("B", "a segmentation object of two organs", scan(lambda f: made_segmentation(f / "s.dcm") and None),
        carried("labels", "s.dcm"), "labels at their place", organs),
    Row("B", "an enhanced object that lacks a frame",
        scan(lambda f: enhanced(f / "e.dcm", [0.0, 3.0, 9.0, 12.0]) and None),
        carried("image", "e.dcm"), "interpolated and said", says("lacks 1 of its 5")),
    Row("B", "an enhanced object of two time points",
        scan(lambda f: enhanced(f / "e.dcm", [0.0, 3.0, 6.0] * 2, times=[1, 1, 1, 2, 2, 2]) and None),
        carried("image", "e.dcm"), "refused, with --series", refused("--series")),
    Row("C", "slices without positions", scan(without("ImagePositionPatient")), carried("image", "ct"), "refused",
        refused("nobody knows where they lie")),
    Row("F", "CT, dose, structures and a copy in one folder", scan(mixed), carried("image", "ct"), "the CT", done),
    Row("F", "slices exported again under new UIDs", scan(again), carried("image", "ct"), "passed over, said",
        says("passed over: 3")),
    Row("G", "slope 1, then fractions", scan(each(slopes)), carried("image", "ct"), "true values", fractions),
    Row("I", "no StudyInstanceUID", scan(without("StudyInstanceUID")), carried("image", "ct"), "read", done),
]  # fmt: skip

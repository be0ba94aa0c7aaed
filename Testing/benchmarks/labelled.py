"""Scans on which organs are drawn: planning CTs and a brain of ``train/``, and people whom nothing is fitted to."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import torch
from dsir.files.images import read_image
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice, as_shape
from dsir.shapes.structure import Structure
from dsir.structures.segmentations import from_mask

MARGIN = 12.0
"""mm around the organs that is kept: whole scans would take five times as long."""

SMALLEST = 0.5
"""ml; what is smaller at 2 to 4 mm is a handful of voxels, whose overlap is a matter of rounding."""

MOST = 24
"""Structures of one scan, spread over its numbers: a hundred take minutes and are no more persons."""

NECKS = (
    "024", "054", "060", "083", "096", "099", "109", "112", "115", "133", "155", "200", "230", "233", "236",
    "017", "034",
)  # fmt: skip

ORGANS = {
    1: "Brainstem", 2: "SpinalCord", 3: "RightParotid", 4: "LeftParotid", 5: "Esophagus", 6: "Larynx", 7: "Mandible",
}  # fmt: skip

ASEG = {
    4: "LeftLateralVentricle", 7: "LeftCerebellumWhite", 8: "LeftCerebellum", 10: "LeftThalamus", 11: "LeftCaudate",
    12: "LeftPutamen", 13: "LeftPallidum", 14: "ThirdVentricle", 15: "FourthVentricle", 16: "Brainstem",
    17: "LeftHippocampus", 18: "LeftAmygdala", 28: "LeftVentralDC", 43: "RightLateralVentricle",
    46: "RightCerebellumWhite", 47: "RightCerebellum", 49: "RightThalamus", 50: "RightCaudate", 51: "RightPutamen",
    52: "RightPallidum", 53: "RightHippocampus", 54: "RightAmygdala", 60: "RightVentralDC",
}  # fmt: skip
"""FreeSurfer's numbers; its cortex is a sheet, and nobody contours it."""

FITTED = {"brain_s14": ("train/s14_brain_t1", "train_labels/s14_brain_t1")}
"""Beside the necks, scans that limits may be fitted to."""

UNSEEN = {
    "abdomen_mr": ("cases/abdomen_ct_mr/moving", "cases/abdomen_ct_mr/moving_seg"),
    "head_t1": ("cases/head_ct_mr_template/moving", "cases/head_ct_mr_template/moving_seg"),
    "abdomen_ct": ("cases/abdomen_ct_mr/fixed", "cases/abdomen_ct_mr/fixed_seg"),
    "lung": ("cases/lung_ct/fixed", "cases/lung_ct/fixed_seg"),
    "lung_later": ("cases/lung_ct/moving", "cases/lung_ct/moving_seg"),
    "head_ct": ("cases/head_ct_mr_template/fixed", "cases/head_ct_mr_template/fixed_seg"),
    "cord_t1": ("cases/neck_t1_t2/fixed", "cases/neck_t1_t2/fixed_seg"),
    "cord_t2": ("cases/neck_t1_t2/moving", "cases/neck_t1_t2/moving_seg"),
}
"""Scan and label map; they judge, and nothing is fitted to them."""


@dataclass(frozen=True, eq=False)
class Person:
    """A scan and what is drawn on it."""

    name: str
    image: Image
    structures: tuple[Structure, ...]


def labelled(data: Path, name: str, *, mirrored: bool = False) -> Person:
    """A scan by name, cut to its organs: ``neck_NNN``, or one of :data:`FITTED` and :data:`UNSEEN`."""
    if name.startswith("neck_"):
        return neck(data, name.removeprefix("neck_"), mirrored=mirrored)
    scan, labels = (FITTED | UNSEEN)[name]
    table = data / Path(labels).parent / "labels.csv"
    names = {1: "Lung" if name.startswith("lung") else "SpinalCord"} if name.startswith(("lung", "cord")) else {}
    if table.exists():
        with table.open(encoding="utf-8") as file:
            names = {int(row["value"]): row["name"] for row in csv.DictReader(file)}
    return _person(data, name, scan, labels, ASEG if name == "brain_s14" else names, mirrored=mirrored, margin=MARGIN)


def neck(data: Path, number: str, *, mirrored: bool = False, margin: float | None = MARGIN) -> Person:
    """A planning CT and its organs; voxels as they are (about 4 x 4 x 2.5 mm); with all that is drawn, mirrored.

    Args:
        margin: mm that are kept around the organs; None: all.
    """
    name = f"s1_headneck_ct_{number}"
    return _person(
        data, f"neck_{number}", f"train/{name}", f"train_labels/{name}", ORGANS, mirrored=mirrored, margin=margin
    )


def _person(
    data: Path, name: str, scan: str, drawn: str, names: Mapping[int, str], *, mirrored: bool, margin: float | None
) -> Person:
    image = read_image(data / f"{scan}.nii.gz")
    labels = torch.as_tensor(np.asarray(nibabel.load(data / f"{drawn}.nii.gz").dataobj).astype(int))
    if name == "brain_s14":  # at 2 mm, by every second voxel of the map: as fine as the rest, and an eighth of the time
        coarse = Lattice(as_shape(np.array(labels.shape) // 2), image.lattice.affine @ np.diag([2.0, 2.0, 2.0, 1.0]))
        image, labels = image.on(coarse), labels[::2, ::2, ::2][tuple(slice(0, n) for n in coarse.shape)]
    around = np.ceil((1e6 if margin is None else margin) / image.lattice.spacing).astype(int)
    if mirrored:
        image, labels = Image(image.data.flip(0), image.lattice), labels.flip(0)
    there = labels.nonzero()
    low = np.maximum(there.amin(0).numpy() - around, 0)
    high = np.minimum(there.amax(0).numpy() + around + 1, image.lattice.shape)
    cut = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    grid = image.lattice.window(low, tuple(int(n) for n in high - low))
    voxel = float(np.prod(grid.spacing)) / 1000
    least = 0 if name.startswith("neck") else SMALLEST / voxel
    found = dict(names) or {v: f"Region{v}" for v in labels.unique().tolist() if v}
    large = [v for v in found if int((labels[cut] == v).sum()) > least]
    large = [large[n * len(large) // MOST] for n in range(MOST)] if len(large) > MOST else large
    structures = [from_mask(labels[cut] == v, grid, name=found[v], number=v) for v in large]
    return Person(name, Image(image.data[cut].clone(), grid), tuple(structures))

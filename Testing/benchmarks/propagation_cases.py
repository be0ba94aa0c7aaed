"""The pairs of scans whose organs are carried, with the organs on both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from catalogue import build
from dsir.evaluation.deformation import random_deformation
from dsir.geometry.image import Image
from dsir.shapes.structure import StructureSet
from dsir.structures.label_names import read_names
from dsir.structures.segmentations import read_label_structures
from dsir.transforms.composite import Transform
from dsir.warp.images import warp_image
from dsir.warp.pullback import pull_back

KNOWN = "planning_ct_known"
CASES = ("planning_ct_pair", "abdomen_ct_mr", KNOWN)
FOLDERS = {KNOWN: "planning_ct_pair"}


@dataclass(frozen=True)
class Case:
    """A pair.

    Attributes:
        start: (3,) mm from fixed to moving, where every method begins.
        source, reference: what is drawn on the moving and on the fixed scan.
    """

    fixed: Image
    moving: Image
    start: torch.Tensor
    source: StructureSet
    reference: StructureSet


def read_case(name: str, folder: Path) -> Case:
    """A pair of the folder, or the planning scan with a copy of itself deformed by up to 13 mm."""
    case = build(FOLDERS.get(name, name), folder)
    files = folder / FOLDERS.get(name, name)
    names = read_names(files / "labels.csv")
    reference = read_label_structures(files / "fixed_seg.nii.gz", names)
    if name != KNOWN:
        start = torch.zeros(3) if case.start is None else torch.as_tensor(case.start, dtype=torch.float32)
        return Case(
            case.fixed, case.moving, start, read_label_structures(files / "moving_seg.nii.gz", names), reference
        )
    grid = case.fixed.lattice
    bend = Transform((random_deformation(grid),))
    drawn = tuple(c.structure for c in pull_back(reference.structures, bend, grid, grid) if not c.structure.empty)
    source = replace(reference, structures=drawn)
    return Case(case.fixed, warp_image(case.fixed, bend, grid), torch.zeros(3), source, reference)

"""Two structures side by side: on one grid, whatever grids they come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..geometry.lattice import Lattice
from ..geometry.occupied import extent
from ..geometry.subgrids import LARGEST
from ..metrics.overlap import LabelScore, mask_score
from ..shapes.structure import Structure
from ..transforms.composite import Transform
from ..warp.pullback import read_shape

COMPARED = (0.5, 1.0)
"""mm: voxels on which two structures are compared; the smaller the structure, the finer."""


def compare(carried: Structure, reference: Structure, tolerance_mm: float = 2.0) -> LabelScore:
    """Score a carried structure against a drawn one.

    Both are read on one even grid: on 3 mm slices the flat steps between slices would count as surfaces that agree.
    """
    size = covering([carried, reference], carried.lattice).extent
    step = max(float(np.clip(size.min() / 40, *COMPARED)), float(np.cbrt(size.prod() / LARGEST)))
    box = covering([carried, reference], carried.lattice.with_spacing(step))
    a = sample_on(carried, box) > 0
    b = sample_on(reference, box) > 0
    return mask_score(b.numpy(), a.numpy(), box.spacing, tolerance_mm=tolerance_mm)


def covering(structures: Sequence[Structure], like: Lattice) -> Lattice:
    """The lattice with the voxels of ``like`` that covers what is inside the structures."""
    corners = []
    for structure in structures:
        box = extent(structure.distance > 0)
        if box is not None:
            ends = np.stack(np.meshgrid(*zip(box[0] - 1, box[1] + 1, strict=True)), -1).reshape(-1, 3)
            corners.append(structure.lattice.to_world(ends))
    return like.covering(np.concatenate(corners) if corners else like.origin[None])


def sample_on(structure: Structure, grid: Lattice) -> torch.Tensor:
    """(I, J, K) the structure's distance at the voxels of any grid; negative beyond its box."""
    return read_shape(structure, Transform(), grid)

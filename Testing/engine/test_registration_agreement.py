"""How far two described images agree, whether they are read at voxels or between them."""

from __future__ import annotations

import numpy as np
import torch
from dsir.geometry.lattice import Lattice
from dsir.registration.agreement import mean_cosine
from dsir.registration.working_grid import FeatureMap
from dsir.transforms.field import DisplacementField


def described(features: torch.Tensor) -> FeatureMap:
    """Unit vectors on a lattice of 2 mm."""
    shape = features.shape[1:]
    whole = torch.ones(shape)
    lattice = Lattice((shape[0], shape[1], shape[2]), np.diag([2.0, 2.0, 2.0, 1.0]))
    return FeatureMap(features / features.norm(dim=0), whole, whole, lattice)


def test_the_right_place_between_voxels_agrees_wholly_and_not_worse_than_a_voxel_beside_it() -> None:
    rough = torch.randn(12, 9, 8, 7, generator=torch.Generator().manual_seed(4))
    moving = described(rough)
    fixed = described((moving.features + moving.features.roll(-1, 1)) / 2)  # what lies half a voxel further on
    inner = fixed.mask.clone()
    inner[-1] = 0  # where nothing lies further on
    fixed = FeatureMap(fixed.features, inner, fixed.reach, fixed.lattice)
    half = torch.zeros(3, 9, 8, 7)
    half[0] = 1.0  # mm
    assert mean_cosine(fixed, moving, None) < 0.8
    assert mean_cosine(fixed, moving, DisplacementField(half, fixed.lattice)) > 0.98


def test_what_has_no_counterpart_counts_nothing() -> None:
    image = described(torch.ones(4, 6, 6, 6))
    away = torch.zeros(3, 6, 6, 6)
    away[0] = 100.0
    assert mean_cosine(image, image, DisplacementField(away, image.lattice)) == 0.0

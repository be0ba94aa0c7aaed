"""Two halves of the channels: they meet where the scans say one thing, and part where each says another."""

from __future__ import annotations

import numpy as np
import torch
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur
from dsir.registration.halves import between_halves, judged_by_halves
from dsir.registration.working_grid import FeatureMap
from dsir.transforms.field import DisplacementField

GRID = Lattice((32, 36, 28), np.diag([2.0, 2.0, 2.0, 1.0]))
HERE = DisplacementField.identity(GRID)


def described(channels: torch.Tensor) -> FeatureMap:
    """Channels (C, I, J, K) as unit vectors, within a box."""
    mask = torch.zeros(GRID.shape)
    mask[6:-6, 6:-6, 6:-6] = 1
    return FeatureMap(channels / channels.norm(dim=0), mask, torch.ones(GRID.shape), GRID)


def channels() -> torch.Tensor:
    """Two dozen, with lumps of about 10 mm."""
    return gaussian_blur(torch.randn(24, *GRID.shape, generator=torch.Generator().manual_seed(0)), 2.0)


def moved(values: torch.Tensor, voxels: int) -> torch.Tensor:
    return values.roll(voxels, dims=1)


def test_halves_that_say_the_same_lie_together() -> None:
    image = described(channels())
    assert between_halves(image, image, HERE) < 0.1
    assert judged_by_halves(image, image, HERE) == []


def test_halves_that_contradict_each_other_are_a_reason_to_look() -> None:
    values = channels()
    torn = values.clone()
    torn[0::2], torn[1::2] = moved(values[0::2], 1), moved(values[1::2], -1)
    found = judged_by_halves(described(values), described(torn), HERE)
    assert [(one.code, one.level) for one in found] == [("halves_differ", "CHECK")]
    assert 1.0 < found[0].values["apart_mm"] < 4.4  # 2 mm one way, 2 mm the other, held back by the stiffness


def test_a_shift_that_both_halves_follow_is_none() -> None:
    values = channels()
    assert between_halves(described(values), described(moved(values, 1)), HERE) < 0.5

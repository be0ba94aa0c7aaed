"""Fewer channels, the same step: known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dsir.geometry.channels_last import side_by_side
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import index_grid
from dsir.registration.descent import Level, descend
from dsir.registration.leading_directions import leading_directions, projected, slope_covariance
from dsir.registration.working_grid import FeatureMap

SHAPE = (18, 16, 14)


def waves(offset: float, channels: int, *, flat: int = 0) -> torch.Tensor:
    """(channels, *SHAPE) smooth, different in each channel, moved by ``offset`` voxels; the last ``flat`` constant."""
    index = index_grid(SHAPE) - offset
    values = [torch.sin(index[n % 3] * (0.3 + 0.05 * n) + n) for n in range(channels - flat)]
    return torch.stack([*values, *(torch.full(SHAPE, 3.0 + n) for n in range(flat))]).half()


def maps(channels: int, **options: int) -> tuple[FeatureMap, FeatureMap]:
    """Fixed and moving, half a voxel apart, in memory as a registration has them."""
    lattice, ones = Lattice(SHAPE, np.eye(4)), torch.ones(SHAPE)
    fixed = FeatureMap(waves(0.0, channels, **options), ones, ones, lattice)
    moving = side_by_side(SHAPE, channels)
    moving.copy_(waves(0.5, channels, **options))
    return fixed, replace(fixed, features=moving)


def test_as_many_directions_as_channels_descend_as_the_weighed_channels_do() -> None:
    fixed, moving = maps(6)
    draw = torch.Generator().manual_seed(2)
    root = torch.randn(6, 6, generator=draw) * 0.2 + torch.eye(6)
    start, level = torch.zeros(3, *SHAPE), Level(iterations=3)
    asked, _ = descend(fixed, moving, start, level, weights=root)
    found, _ = descend(*projected(fixed, moving, root, 6), start, level)
    assert asked.abs().mean() > 0.2  # it went somewhere
    torch.testing.assert_close(found, asked, atol=0.01, rtol=0)


def test_channels_that_do_not_change_are_what_is_left_out() -> None:
    fixed, moving = maps(8, flat=3)
    few, other = projected(fixed, moving, torch.eye(8), 5)
    assert len(few.features) == 5
    start, level = torch.zeros(3, *SHAPE), Level(iterations=3, robust=1e6)
    asked, _ = descend(fixed, moving, start, level)
    found, _ = descend(few, other, start, level)
    torch.testing.assert_close(found, asked, atol=0.02, rtol=0)


def test_the_order_in_memory_is_kept() -> None:
    few, other = projected(*maps(8), torch.eye(8), 4)
    assert few.features.is_contiguous() and other.features.stride(0) == 1


def test_white_noise_keeps_its_mean_square() -> None:
    draw = torch.Generator().manual_seed(3)
    noise = torch.randn(12, 50_000, generator=draw)
    kept = leading_directions(torch.eye(12), torch.diag(torch.arange(12.0)), 5) @ noise
    assert float(kept.square().sum(0).mean()) == pytest.approx(float(noise.square().sum(0).mean()), rel=0.02)


@pytest.mark.parametrize("shape", [(1, 9, 9), (2, 9, 9), (9, 1, 9), (9, 9, 2)])
def test_thin_volumes_have_slopes_along_what_they_have(shape: tuple[int, int, int]) -> None:
    draw = torch.Generator().manual_seed(4)
    ones = torch.ones(shape)
    image = FeatureMap(torch.randn(3, *shape, generator=draw).half(), ones, ones, Lattice(shape, np.eye(4)))
    assert float(slope_covariance(image).trace()) > 0

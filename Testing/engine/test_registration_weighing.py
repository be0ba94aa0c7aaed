"""Residuals weighed by the pair's own noise: what it does on noise that is known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from channels_made import smooth_noise
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import index_grid, sample
from dsir.registration.descent import Level, descend
from dsir.registration.normal import normal_equations
from dsir.registration.residual_weighing import RIDGE, PairNoise, noise_of_pair, residual_covariances, whitening
from dsir.registration.solver import Stiffness
from dsir.registration.working_grid import FeatureMap

pytestmark = pytest.mark.slow

SHAPE = (30, 28, 26)
CHANNELS = 6
LEVEL = Level(iterations=8, stiffness=Stiffness(bending=5.0), robust=10.0)


drawn = partial(smooth_noise, SHAPE)


def pair(noise: float) -> tuple[FeatureMap, FeatureMap, torch.Tensor]:
    """Fixed, moving and the true displacement; ``noise`` is added to both sides' channels 0 and 1, the same to each."""
    lattice, whole = Lattice(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0])), torch.ones(SHAPE)
    truth = drawn(3, 6.0, 1)
    moving = drawn(CHANNELS, 2.0, 2)
    fixed = sample(moving, index_grid(SHAPE) + truth, padding="border")
    sides = []
    for clean, seed in ((fixed, 3), (moving, 4)):
        spoiled = clean.clone()
        spoiled[:2] += noise * drawn(1, 2.0, seed)
        sides.append(FeatureMap(0.5 * spoiled, whole, whole, lattice))
    return sides[0], sides[1], truth


def error(u: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean end-point error in voxels, away from the border."""
    return float((u - truth).norm(dim=0)[4:-4, 4:-4, 4:-4].mean())


def test_weights_make_the_residual_alike_in_all_directions_and_keep_its_size() -> None:
    root = torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.5, -1.0, 0.7]])
    averaged, raw = root @ root.T, torch.diag(torch.tensor([4.0, 1.0, 2.0]))
    weights = whitening(raw, averaged)
    before = torch.linalg.eigvalsh(averaged)
    after = torch.linalg.eigvalsh(weights @ averaged @ weights)
    ridge = RIDGE * averaged.trace() / 3
    alike = before / (before + ridge)
    torch.testing.assert_close(after / after[-1], alike / alike[-1])
    torch.testing.assert_close((weights @ raw @ weights).trace(), raw.trace())


def test_weighing_the_equations_is_weighing_the_channels() -> None:
    fixed, moving, _ = pair(1.0)
    weights = torch.randn(4, CHANNELS, generator=torch.Generator().manual_seed(5))
    index, options = index_grid(SHAPE), {"robust": 1.0, "slab": 3000}
    asked = normal_equations(
        fixed.features, moving.features, moving.reach, fixed.mask, index, weights=weights, **options
    )
    f, m = (torch.einsum("dc,cijk->dijk", weights, side.features) for side in (fixed, moving))
    direct = normal_equations(f, m, moving.reach, fixed.mask, index, **options)
    torch.testing.assert_close(asked.matrix, direct.matrix, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(asked.right, direct.right, rtol=1e-4, atol=1e-5)


def test_the_residuals_covariance_names_the_direction_that_was_spoiled() -> None:
    fixed, moving, truth = pair(2.0)
    raw, averaged = residual_covariances(fixed, moving, truth, robust=1e6)
    for found in (raw, averaged):
        direction = torch.linalg.eigh(found).eigenvectors[:, -1]
        assert float(direction[:2].square().sum()) > 0.95
        assert float(direction[0] * direction[1]) > 0.4  # the same noise in both


def test_noise_in_a_direction_is_weighed_away_and_the_field_gains() -> None:
    fixed, moving, truth = pair(2.0)
    plain, _ = descend(fixed, moving, torch.zeros(3, *SHAPE), LEVEL)
    noise = noise_of_pair(fixed, moving, plain, LEVEL.robust, LEVEL.stiffness)
    assert noise.worth
    weighed, _ = descend(fixed, moving, plain, LEVEL, weights=noise.weights)
    assert error(weighed, truth) < 0.8 * error(plain, truth)


def test_a_pair_without_noise_is_left_as_it_is() -> None:
    fixed, moving, _ = pair(0.0)
    plain, _ = descend(fixed, moving, torch.zeros(3, *SHAPE), LEVEL)
    assert not noise_of_pair(fixed, moving, plain, LEVEL.robust, LEVEL.stiffness).worth


def test_two_unrelated_images_are_not_weighed() -> None:
    fixed, _, _ = pair(0.0)
    other = FeatureMap(20 * drawn(CHANNELS, 4.0, 9), fixed.mask, fixed.reach, fixed.lattice)
    assert not noise_of_pair(fixed, other, torch.zeros(3, *SHAPE), 1e6, LEVEL.stiffness).worth


def test_the_noisier_the_pair_the_stiffer_the_field_within_bounds() -> None:
    noises = [PairNoise(torch.eye(2), variance) for variance in (10, 60, 120, 1000)]
    bending = [noise.stiffened(Stiffness(bending=5.0)).bending for noise in noises]
    assert bending == [5.0, 5.0, 10.0, 15.0]

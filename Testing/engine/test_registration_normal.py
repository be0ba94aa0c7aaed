"""The normal equations say which way, and how far, descriptors must move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.geometry.sampling import index_grid, sample
from dsir.registration.normal import PAIRS, normal_equations

SHAPE = (20, 18, 16)


def waves(shift: tuple[float, float, float], channels: int = 5) -> torch.Tensor:
    """(C, I, J, K) smooth channels, read at x + shift."""
    x, y, z = (index_grid(SHAPE) + torch.tensor(shift).view(3, 1, 1, 1)).unbind(0)
    return torch.stack(
        [torch.sin(0.25 * x + 0.08 * n * y + n) + torch.cos(0.3 * z - 0.07 * n * x) for n in range(channels)]
    )


def interior() -> torch.Tensor:
    """A weight that keeps away from the border."""
    weight = torch.zeros(SHAPE)
    weight[3:-3, 3:-3, 3:-3] = 1
    return weight


def equations(fixed: torch.Tensor, moving: torch.Tensor, **options):
    return normal_equations(fixed, moving, torch.ones(SHAPE), interior(), index_grid(SHAPE), **options)


def total_shift(found) -> torch.Tensor:
    """The one displacement that fits all voxels together."""
    h = torch.zeros(3, 3)
    for n, (row, column) in enumerate(PAIRS):
        h[row, column] = h[column, row] = found.matrix[n].sum()
    return torch.linalg.solve(h, found.right.flatten(1).sum(1))


def test_equal_images_pull_nowhere_and_cost_nothing() -> None:
    found = equations(waves((0, 0, 0)), waves((0, 0, 0)))
    assert found.cost < 1e-10 and found.right.abs().max() < 1e-6
    assert found.covered == 1


def test_a_known_shift_is_found_in_one_step() -> None:
    wanted = (0.6, -0.4, 0.5)
    found = total_shift(equations(waves(wanted), waves((0, 0, 0))))
    np.testing.assert_allclose(found.numpy(), wanted, atol=0.03)


def test_the_right_side_is_minus_half_the_slope_of_the_cost() -> None:
    fixed, moving = waves((0.1, -0.08, 0.06)), waves((0, 0, 0))

    def energy(shift: torch.Tensor) -> float:
        index = index_grid(SHAPE) + shift.view(3, 1, 1, 1)
        residual = fixed.double() - sample(moving.double(), index.double(), padding="border")
        return float((residual.square().sum(0) * interior()).sum())

    right = equations(fixed, moving).right.flatten(1).sum(1)
    for axis in range(3):
        ahead = torch.zeros(3)
        ahead[axis] = 0.02
        measured = -(energy(ahead) - energy(-ahead)) / 0.04 / 2
        # The gradients are the mean of both images', so they agree up to the shift itself.
        np.testing.assert_allclose(float(right[axis]), measured, rtol=0.03, atol=0.02 * float(right.abs().max()))


def test_what_lies_beyond_the_moving_image_has_no_say() -> None:
    fixed, moving = waves((0.5, 0, 0)), waves((0, 0, 0))
    spoilt, reach = moving.clone(), torch.ones(SHAPE)
    spoilt[:, 10:], reach[10:] = 99.0, 0.0
    found = normal_equations(fixed, spoilt, reach, interior(), index_grid(SHAPE))
    assert found.right[:, 10:].abs().max() == 0 and found.matrix[:, 10:].abs().max() == 0
    assert 0.4 < found.covered < 0.6


def test_outliers_count_less_when_robust() -> None:
    fixed, moving = waves((0.5, 0.3, -0.2)), waves((0, 0, 0))
    fixed[:, 8:11, 8:11, 7:10] += 6 * torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    plain, robust = (total_shift(equations(fixed, moving, robust=r)) for r in (None, 1.0))
    truth = torch.tensor([0.5, 0.3, -0.2])
    assert (robust - truth).norm() < 0.7 * (plain - truth).norm()


def test_the_result_does_not_depend_on_how_many_voxels_are_held_at_once() -> None:
    few, all_ = (equations(waves((0.5, 0.2, 0)), waves((0, 0, 0)), slab=slab) for slab in (3 * 18 * 16, 10**6))
    torch.testing.assert_close(few.matrix, all_.matrix)
    torch.testing.assert_close(few.right, all_.right)
    assert abs(few.cost - all_.cost) < 1e-5


@pytest.mark.parametrize("control", [2, 3])
def test_averaged_while_they_are_made_they_are_what_averaging_makes_of_them(control: int) -> None:
    fixed, moving, ones, at = waves((0.5, 0.2, 0)), waves((0, 0, 0)), torch.ones(SHAPE), index_grid(SHAPE)
    body = torch.zeros(SHAPE)
    body[3:, 1:16, 5:] = 1
    found, all_ = (
        normal_equations(fixed, moving, ones, body, at, robust=1.0, control=c, slab=700).on(control)
        for c in (control, 1)
    )
    torch.testing.assert_close(found.matrix, all_.matrix)
    torch.testing.assert_close(found.right, all_.right)
    assert found.cost == pytest.approx(all_.cost, abs=1e-6) and found.on(control) is found


def test_air_around_the_body_changes_nothing_within() -> None:
    fixed, moving, ones, at = waves((0.5, 0.2, 0)), waves((0, 0, 0)), torch.ones(SHAPE), index_grid(SHAPE)
    body = torch.zeros(SHAPE)
    body[4:9, 6:17, 5], body[12, 2, 9] = 1, 0.5
    found, all_ = (normal_equations(fixed, moving, ones, weight, at, slab=1000) for weight in (body, ones))
    torch.testing.assert_close(found.matrix, all_.matrix * body)
    torch.testing.assert_close(found.right, all_.right * body)
    nothing = normal_equations(fixed, moving, ones, torch.zeros(SHAPE), at)
    assert nothing.cost == 0 and not nothing.matrix.any()


def test_the_slope_of_a_ramp_is_its_own_and_a_single_slice_has_none() -> None:
    ramp = 3 * index_grid((6, 5, 4))[:1]
    weight = torch.ones(6, 5, 4)
    matrix = normal_equations(ramp, ramp, weight, weight, index_grid((6, 5, 4)), slab=20).matrix
    assert torch.allclose(matrix[0, 1:-1], torch.tensor(9.0), atol=1e-4) and (matrix[0, [0, -1]] == 0).all()
    assert (matrix[1:].abs() < 1e-4).all()
    slice_, weight = torch.randn(2, 1, 5, 4), torch.ones(1, 5, 4)
    matrix = normal_equations(slice_, slice_, weight, weight, index_grid((1, 5, 4))).matrix
    assert (matrix[0] == 0).all() and (matrix[1] > 0).any()

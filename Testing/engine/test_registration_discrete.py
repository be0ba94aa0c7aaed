"""The discrete search: far, bounded in memory, the same in both directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dsir.features.descriptor import load_descriptor
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur, index_grid, sample
from dsir.registration.discrete import (
    DiscreteSettings,
    affordable_grid,
    consistent,
    cost_volume,
    coupled_convex,
    discrete_search,
    weighs,
    window,
)
from dsir.registration.working_grid import FeatureMap, describe, widened
from dsir.transforms.jacobian import fold_report
from phantoms import body_points, bright_on_dark, dark_on_bright, inside, lattice_of, render

WIDE = lattice_of((52, 56, 50), (4.0, 4.0, 4.0))


def described(view, shift: np.ndarray | float = 0.0) -> FeatureMap:
    image = render(WIDE, lambda points: view(points - shift))
    body = render(WIDE, lambda points: inside(points - shift)).data > 0.5
    return describe(load_descriptor("mind"), image, body, WIDE)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [(32.0, 0.0, 0.0), (-16.0, 24.0, -20.0)])
def test_a_shift_of_more_than_30_mm_is_found_across_contrasts(shift: tuple[float, float, float]) -> None:
    field = discrete_search(described(dark_on_bright), described(bright_on_dark, np.array(shift)), DiscreteSettings())
    error = np.linalg.norm(field.at(body_points()) - shift, axis=1)
    assert np.linalg.norm(shift) > 30 and np.median(error) < 3.0 and error.mean() < 5.0
    assert fold_report(field).folds == 0


def test_a_wide_window_on_a_large_body_uses_a_coarser_grid_rather_than_more_memory() -> None:
    lattice = lattice_of((200, 200, 300), (2.0, 2.0, 2.0))
    huge = FeatureMap(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), lattice)
    for memory in (100, 400):
        spacing = affordable_grid(huge, 6.0, 48.0, memory)
        voxels = np.prod(lattice.with_spacing(spacing).shape)
        taken = 4 * voxels * (2 * round(48.0 / spacing) + 1) ** 3 / 2**20
        assert spacing > 6.0 and taken < 1.15 * memory  # the grid's rounding up to whole voxels is the rest
    assert affordable_grid(huge, 24.0, 24.0, 4000) == 24.0


def test_the_cost_is_least_at_the_displacement_that_is_true() -> None:
    draw = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(8, 12, 12, 12, generator=draw), dim=0)
    lattice = lattice_of((12, 12, 12), (4.0, 4.0, 4.0))
    ones = torch.ones(12, 12, 12)
    here = FeatureMap(features, ones, ones, lattice)
    there = FeatureMap(features.roll((1, -2, 2), (1, 2, 3)), ones, ones, lattice)
    cost = cost_volume(here, there, 3)
    assert cost.shape == (6**3, 7**3)
    assert (window(3)[cost.argmin(1)] == torch.tensor([1.0, -2.0, 2.0])).all()
    assert cost.min() > -1e-5 and cost.max() < 4 + 1e-5


def test_beyond_the_field_of_view_costs_as_much_as_what_does_not_resemble() -> None:
    features = torch.nn.functional.normalize(torch.ones(4, 9, 9, 9), dim=0)
    ones, lattice = torch.ones(9, 9, 9), lattice_of((9, 9, 9))
    blind = FeatureMap(torch.zeros_like(features), torch.zeros_like(ones), torch.zeros_like(ones), lattice)
    torch.testing.assert_close(
        cost_volume(FeatureMap(features, ones, ones, lattice), blind, 2), torch.full((5**3, 5**3), 2.0)
    )


def test_isolated_errors_yield_to_their_neighbours() -> None:
    shape, offsets = (8, 8, 8), window(2)
    cost = torch.ones(512, 125)
    cost[:, int((offsets == torch.tensor([1.0, 0.0, -1.0])).all(1).nonzero())] = 0.2
    for voxel in range(0, 512, 37):
        cost[voxel, (voxel * 7) % 125] = 0.0
    u = coupled_convex(cost, offsets, torch.ones(shape, dtype=torch.bool))
    assert (u - torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1, 1)).abs().max() < 0.3


def test_air_costs_nothing_and_is_not_searched() -> None:
    draw = torch.Generator().manual_seed(3)
    features = torch.nn.functional.normalize(torch.randn(6, 12, 11, 13, generator=draw), dim=0)
    body, lattice = torch.zeros(12, 11, 13), lattice_of((12, 11, 13), (4.0, 4.0, 4.0))
    body[3:7, 4:8, 4:11] = torch.rand(4, 4, 7, generator=draw) > 0.4
    here = FeatureMap(features, body, torch.ones_like(body), lattice)
    held, cost = weighs(here, 2), cost_volume(here, here, 2)
    whole = cost_volume(replace(here, mask=body + 1e-12), here, 2)  # so little that it costs nothing, and yet counts
    assert len(cost) == int(held.sum()) < len(whole) == held.numel()
    torch.testing.assert_close(cost, whole[held.flatten()])
    whole[~held.flatten()] = 0
    found, all_ = (coupled_convex(c, window(2), points) for c, points in ((cost, held), (whole, held | True)))
    torch.testing.assert_close(found, all_)
    assert coupled_convex(cost[:0], window(2), held & False).isfinite().all()


def test_both_directions_become_each_others_inverse() -> None:
    draw = torch.Generator().manual_seed(0)
    smooth = [gaussian_blur(torch.randn(3, 24, 24, 24, generator=draw), 4.0) for _ in range(2)]
    forward, backward = (4.0 * u / u.abs().max() + sign for u, sign in zip(smooth, (1.0, -1.0), strict=True))
    base = index_grid((24, 24, 24))

    def missed(there: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
        return (there + sample(back, base + there, padding="border"))[:, 5:-5, 5:-5, 5:-5].norm(dim=0)

    there, back = consistent(forward, backward), consistent(backward, forward)
    assert missed(there, back).mean() < 0.1 * missed(forward, backward).mean()
    assert there.mean() > 0.5  # and did not simply vanish


def test_a_grid_is_widened_by_the_voxels_asked_for_whatever_its_axes_round_to() -> None:
    draw = np.random.default_rng(0)
    for _ in range(200):
        affine = np.eye(4)
        affine[:3, :3] = np.linalg.qr(draw.normal(size=(3, 3)))[0] * draw.uniform(2, 15)
        grid = Lattice((5, 6, 7), affine)
        assert widened(grid, 4 * float(grid.spacing.mean())).shape == (13, 14, 15)

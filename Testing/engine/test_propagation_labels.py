"""Warped labels are smooth shapes in the right place, and none is lost without a word."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from dsir.metrics.distance import signed_distance
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from dsir.warp.labels import warp_labels
from grids import GRIDS, field_of, lattice, waves
from scipy import ndimage


def voxels(grid) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1))


def ball(grid, centre=(10.0, -20.0, 35.0), radius: float = 14.0) -> torch.Tensor:
    return torch.from_numpy(np.linalg.norm(voxels(grid) - centre, axis=-1) < radius)


def warp_mask(mask: torch.Tensor, grid, transform: Transform, reference) -> torch.Tensor:
    """One structure as a label map of its own."""
    return warp_labels(mask.int(), grid, transform, reference).labels > 0


def dice(a: torch.Tensor, b: torch.Tensor) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_the_identity_on_the_same_grid_keeps_every_voxel(grid):
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 4, grid.shape).astype(np.int32) * 7)
    assert torch.equal(warp_labels(labels, grid, Transform(), grid).labels, labels)


@pytest.mark.parametrize("moving_grid", GRIDS.values(), ids=GRIDS.keys())
def test_a_ball_is_found_at_the_moved_points(moving_grid):
    reference = lattice((40, 40, 40), (1.5, 1.5, 1.5), degrees=15)
    transform = Transform((field_of(reference, lambda p: waves(p, 3.0, 80.0)),))
    warped = warp_mask(ball(moving_grid), moving_grid, transform, reference)
    moved = transform.transform_points(voxels(reference)).reshape(*reference.shape, 3)
    truth = torch.from_numpy(np.linalg.norm(moved - [10.0, -20.0, 35.0], axis=-1) < 14.0)
    assert dice(warped, truth) > 0.94


@pytest.mark.parametrize("radius", [5.0, 9.0])
def test_a_small_organ_keeps_its_volume(radius):
    grid, fine = lattice((20, 20, 12), (2.5, 2.5, 4.0), degrees=10), lattice((50, 50, 50), (1.0, 1.0, 1.0))
    organ = ball(grid, (11.0, -20.3, 34.2), radius)
    given = float(organ.sum()) * 2.5 * 2.5 * 4.0
    kept = float(warp_mask(organ, grid, Transform(), fine).sum())
    assert kept == pytest.approx(given, rel=0.02)  # trilinear distances alone lose 23 and 7 %


def test_between_thick_slices_a_slanted_surface_has_no_steps():
    thick, fine = lattice((60, 60, 12), (1.0, 1.0, 5.0)), lattice((60, 60, 56), (1.0, 1.0, 1.0))

    def slanted(grid) -> torch.Tensor:  # a plane at 45 degrees to the slices
        points = voxels(grid) - [10.0, -20.0, 35.0]
        return torch.from_numpy(points[..., 0] < points[..., 2])

    warped = warp_mask(slanted(thick), thick, Transform(), fine)[:, :, 3:-3].float()
    height = warped.sum(0)  # where the surface lies along the first axis
    steps = (height[:, 1:] - height[:, :-1]).abs()
    assert steps.max() <= 2.0  # one voxel a slice is the slope itself; nearest neighbour jumps by five
    assert height.max() - height.min() > 40
    assert float((warped.bool() != slanted(fine)[:, :, 3:-3]).float().mean()) < 0.02


def test_labels_that_touch_stay_in_touch():
    grid = lattice((40, 40, 40), (2.0, 2.0, 2.0))
    labels = torch.ones(grid.shape, dtype=torch.int32)
    labels[:20] = 2
    labels[:, :, 20:] = 3
    reference = lattice((40, 40, 40), (1.0, 1.0, 1.0), degrees=20)
    warped = warp_labels(labels, grid, Transform((field_of(reference),)), reference).labels
    assert (warped > 0).all() and set(warped.unique().tolist()) == {1, 2, 3}


def test_a_label_thinner_than_a_voxel_is_kept_and_named():
    fine, coarse = lattice((60, 60, 60), (1.0, 1.0, 1.0)), lattice((12, 12, 12), (5.0, 5.0, 5.0))
    labels = torch.zeros(fine.shape, dtype=torch.int32)
    labels[31, 27, 30] = 9
    labels[5:40, 5:40, 5:40][ball(lattice((35, 35, 35), (1.0, 1.0, 1.0)), radius=6.0)] = 4
    warped = warp_labels(labels, fine, Transform(), coarse)
    assert warped.rescued == (9,) and warped.outside == ()
    assert int((warped.labels == 9).sum()) == 1
    at = coarse.to_world((warped.labels == 9).nonzero()[0].numpy())
    assert np.linalg.norm(at - fine.to_world(np.array([31, 27, 30]))) < 5.0


def test_a_label_outside_the_reference_is_named_as_lost():
    grid = lattice((30, 30, 30))
    labels = torch.zeros(grid.shape, dtype=torch.int32)
    labels[2:6, 2:6, 2:6] = 5
    labels[20:25, 20:25, 20:25] = 6
    away = np.eye(4)
    away[0, 3] = 24.0  # twelve voxels: label 5 leaves through the near face
    warped = warp_labels(labels, grid, Transform((Linear(away),)), grid)
    assert warped.outside == (5,) and set(warped.labels.unique().tolist()) == {0, 6}


def test_an_empty_map_stays_empty():
    grid = lattice((6, 6, 6))
    assert not warp_labels(torch.zeros(grid.shape, dtype=torch.int32), grid, Transform(), grid).labels.any()


def test_a_label_cut_by_the_moving_images_edge_ends_there():
    grid, wide = lattice((20, 20, 20)), lattice((40, 20, 20))
    labels = torch.ones(grid.shape, dtype=torch.int32)
    warped = warp_labels(labels, grid, Transform(), wide).labels
    assert int(warped.sum()) == 20**3 and warped[10:30].all()


def test_the_distance_is_that_of_the_whole_transform_within_reach():
    mask = ball(lattice((30, 30, 30)), radius=17.0).numpy()
    spacing, reach = np.array([1.0, 2.0, 3.0]), 7.0
    whole = ndimage.distance_transform_edt(mask, spacing) - ndimage.distance_transform_edt(~mask, spacing)
    ours = signed_distance(torch.from_numpy(mask), spacing, reach).numpy()
    assert np.abs(ours - np.clip(whole, -reach, reach)).max() < 1e-4


def test_many_labels_take_seconds():
    grid = lattice((70, 70, 70), (2.0, 2.0, 2.0))
    points = voxels(grid)
    labels = torch.zeros(grid.shape, dtype=torch.int32)
    random = np.random.default_rng(0)
    for value in range(1, 41):
        centre = grid.centre + random.uniform(-55, 55, 3)
        labels[torch.from_numpy(np.linalg.norm(points - centre, axis=-1) < random.uniform(6, 14))] = value
    field = field_of(lattice((26, 26, 26), (6.0, 6.0, 6.0)))
    begin = time.process_time()
    warped = warp_labels(labels, grid, Transform((field,)), grid)
    assert time.process_time() - begin < 10  # about 1 s on one core
    assert set(warped.labels.unique().tolist()) == set(labels.unique().tolist())

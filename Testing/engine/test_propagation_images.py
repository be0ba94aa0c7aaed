"""Warped images show the moving image where the transform says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.geometry.image import Image
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from dsir.warp import images
from dsir.warp.images import covered, warp_image
from grids import GRIDS, field_of, lattice, rotation, waves


def picture(points: np.ndarray) -> np.ndarray:
    """A smooth image of RAS points (..., 3)."""
    return 100 * np.sin(points[..., 0] / 9) * np.cos(points[..., 1] / 11) + 2 * points[..., 2]


def voxels(grid) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1))


def image_of(grid) -> Image:
    return Image(torch.from_numpy(picture(voxels(grid)).astype(np.float32)), grid)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_a_warped_image_is_the_moving_image_at_the_moved_points(grid):
    moving = image_of(lattice((70, 68, 66), (1.5, 1.5, 1.5), degrees=-20, left_handed=True))
    transform = Transform((field_of(grid),))
    inside = covered(transform, grid, moving.lattice).numpy()
    expected = picture(transform.transform_points(voxels(grid)).reshape(*grid.shape, 3))
    linear = warp_image(moving, transform, grid).data.numpy()
    cubic = warp_image(moving, transform, grid, interpolation="cubic").data.numpy()
    assert inside.mean() > 0.9
    core = warp_image(Image(torch.ones(moving.lattice.shape), moving.lattice), transform, grid, fill=0).data > 0
    assert np.array_equal(core.numpy(), inside)
    error_linear, error_cubic = (np.abs(v - expected)[inside] for v in (linear, cubic))
    assert np.quantile(error_linear, 0.99) < 1.5 and np.quantile(error_cubic, 0.99) < 0.5
    assert error_cubic.mean() < 0.2 * error_linear.mean()


def test_the_identity_on_the_same_grid_changes_nothing():
    moving = image_of(GRIDS["oblique and left-handed"])
    for kind in ("linear", "cubic", "nearest"):
        assert torch.allclose(
            warp_image(moving, Transform(), moving.lattice, interpolation=kind).data, moving.data, atol=2e-2
        )


def test_outside_the_moving_image_there_is_air():
    moving = image_of(lattice((20, 20, 20)))
    shift = np.eye(4)
    shift[0, 3] = 20.0  # ten voxels
    warped = warp_image(moving, Transform((Linear(shift),)), moving.lattice)
    assert (warped.data[10:] == moving.data.min()).all()
    assert torch.allclose(warped.data[:10], moving.data[10:], atol=1e-2)
    assert (warp_image(moving, Transform((Linear(shift),)), moving.lattice, fill=-1000.0).data[10:] == -1000).all()


def test_cubic_does_not_ring_beyond_the_moving_range():
    grid = lattice((24, 24, 24))
    data = torch.full(grid.shape, -1000.0)
    data[8:16, 8:16, 8:16] = 1000.0
    shifted = lattice((48, 48, 48), (1.0, 1.0, 1.0))
    warped = warp_image(Image(data, grid), Transform(), shifted, interpolation="cubic").data
    assert warped.min() >= -1000 and warped.max() <= 1000


def test_slabs_do_not_show(monkeypatch):
    moving, grid = image_of(lattice((40, 40, 40))), GRIDS["oblique"]
    turn = np.eye(4)
    turn[:3, :3] = rotation(8)
    transform = Transform((field_of(grid), Linear(turn)))
    whole = warp_image(moving, transform, grid).data
    monkeypatch.setattr(images, "SLAB", 1000)
    assert torch.allclose(warp_image(moving, transform, grid).data, whole, atol=1e-2)


def test_a_coarse_field_moves_a_fine_image():
    fine, coarse = lattice((60, 60, 60), (1.0, 1.0, 1.0)), lattice((20, 20, 20), (4.0, 4.0, 4.0))
    field = field_of(coarse, lambda p: waves(p, 3.0, 120.0))
    moving = image_of(lattice((90, 90, 90), (1.0, 1.0, 1.0)))
    warped = warp_image(moving, Transform((field,)), fine).data.numpy()
    expected = picture(voxels(fine) + waves(voxels(fine), 3.0, 120.0))
    assert np.abs(warped - expected).mean() < 0.5
    assert isinstance(field, DisplacementField)

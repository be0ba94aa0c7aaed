"""The field fades to nothing in a rim of its own, so that what lies far away is moved by the linear part alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.registration.boundary_fade import faded_at_boundary
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import fold_report
from grids import GRIDS, field_of, points_inside


@pytest.mark.parametrize("name", GRIDS)
def test_the_outermost_voxels_are_zero_and_so_is_all_beyond(name: str) -> None:
    field = faded_at_boundary(field_of(GRIDS[name]), spacing=4.0)
    for axis in (1, 2, 3):
        size = field.vectors.shape[axis]
        assert not field.vectors.narrow(axis, 0, 1).any() and not field.vectors.narrow(axis, size - 1, 1).any()
    far = GRIDS[name].centre + 400 * np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(field.at(far[np.linalg.norm(far - GRIDS[name].centre, axis=1) > 300]), 0.0, atol=1e-6)


def test_inside_the_images_the_field_is_what_was_found() -> None:
    found = field_of(GRIDS["oblique"])
    points = points_inside(GRIDS["oblique"], margin=2)
    np.testing.assert_allclose(faded_at_boundary(found, spacing=2.0).at(points), found.at(points), atol=0.05)


@pytest.mark.slow
def test_a_large_displacement_fades_over_a_wider_rim_and_never_folds() -> None:
    grid = GRIDS["plain"]
    rims = []
    for shift in (2.0, 40.0):
        field = faded_at_boundary(DisplacementField(torch.full((3, *grid.shape), shift), grid), spacing=4.0)
        assert fold_report(field).folds == 0 and fold_report(field).smallest > 0.05
        rims.append(field.lattice.extent[0] - grid.extent[0])
    assert rims[0] >= 32 and rims[1] > 4 * rims[0]
    np.testing.assert_allclose(field.at(grid.centre[None])[0], 40.0, atol=1e-3)


def test_a_field_that_folds_is_handed_over_without_folds() -> None:
    grid = GRIDS["left-handed"]
    noise = 3 * torch.randn(3, *grid.shape, generator=torch.Generator().manual_seed(0))
    assert fold_report(DisplacementField(noise, grid)).folds > 0
    assert fold_report(faded_at_boundary(DisplacementField(noise, grid), spacing=6.0)).folds == 0

"""Random deformations: smooth, fold-free, as large as asked, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.errors import DsirError
from dsir.evaluation.deformation import DeformationSettings, random_deformation
from dsir.geometry.lattice import Lattice
from dsir.transforms.jacobian import fold_report


def oblique_lattice() -> Lattice:
    """Left-handed, turned by 30 degrees, voxels of 2 x 2.5 x 4 mm."""
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, -1]]) @ np.diag([2.0, 2.5, 4.0])
    return Lattice((60, 48, 30), affine)


@pytest.mark.parametrize("amplitude", [10.0, 14.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_draw_folds(amplitude: float, seed: int) -> None:
    field = random_deformation(oblique_lattice(), DeformationSettings(amplitude=amplitude), seed=seed)
    report = fold_report(field)
    assert report.folds == 0
    assert report.smallest > 0.1


def test_longest_vector_inside_the_mask_is_the_amplitude() -> None:
    lattice = oblique_lattice()
    mask = torch.zeros(lattice.shape, dtype=torch.bool)
    mask[15:45, 12:36, 8:22] = True
    field = random_deformation(lattice, DeformationSettings(amplitude=12.0), seed=3, mask=mask)
    assert float(field.vectors.norm(dim=0)[mask].max()) == pytest.approx(12.0, abs=1e-3)


def test_same_seed_same_field_other_seed_other_field() -> None:
    first, again, other = (random_deformation(oblique_lattice(), seed=seed).vectors for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert float((first - other).norm(dim=0).mean()) > 1.0


def test_rigid_part_turns_and_shifts_by_what_was_asked() -> None:
    lattice = oblique_lattice()
    settings = DeformationSettings(amplitude=1e-4, rotation=10.0, translation=7.0)
    field = random_deformation(lattice, settings, seed=1)
    assert np.linalg.norm(field.at(lattice.centre[None])) == pytest.approx(7.0, abs=1e-2)
    corners = lattice.to_world(np.array([[0, 0, 0], [59, 0, 0], [0, 47, 0], [0, 0, 29]]))
    edges, moved = (np.diff(points, axis=0) for points in (corners[[0, 1]], field.transform_points(corners)[[0, 1]]))
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(edges), rel=1e-4)
    before, after = (points[1:] - points[0] for points in (corners, field.transform_points(corners)))
    turn = np.linalg.lstsq(before, after, rcond=None)[0].T
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(10.0, abs=0.05)


def test_too_large_an_amplitude_is_refused_in_one_sentence() -> None:
    with pytest.raises(DsirError, match="free of folds"):
        random_deformation(oblique_lattice(), DeformationSettings(amplitude=60.0, draws=5))

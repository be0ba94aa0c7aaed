"""The linear stage: finds far starts, leaves good ones alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.features.descriptor import load_descriptor
from dsir.files.landmarks import LandmarkPairs
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.align import align
from dsir.registration.linear import LinearSettings, nearest
from dsir.registration.search import about, centre_of_mass, rotations
from dsir.registration.starts import principal_axes
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from grids import rotation
from phantoms import body_points, bright_on_dark, dark_on_bright, inside, lattice_of, render

pytestmark = pytest.mark.slow

MIND = load_descriptor("mind")
GRID = lattice_of((29, 32, 26), (5.0, 5.0, 5.0))
FIXED = render(GRID, dark_on_bright)
MOVING = render(GRID, bright_on_dark)
BODY = render(GRID, inside).data > 0.5


def placed(matrix: np.ndarray) -> Image:
    """The moving image, moved as a whole by a (4, 4) of RAS mm."""
    return Image(MOVING.data, Lattice(GRID.shape, matrix @ GRID.affine))


def aligned(matrix: np.ndarray, settings: LinearSettings, **options):
    return align(FIXED, placed(matrix), BODY, BODY, MIND, settings, **options)


def missed(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean mm in the body."""
    points = body_points(500)
    return float(
        np.linalg.norm(Linear(found).transform_points(points) - Linear(wanted).transform_points(points), axis=1).mean()
    )


def moved(degrees: float, shift: tuple[float, float, float], axis=(1.0, 2.0, 3.0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(degrees, axis), shift
    return matrix


@pytest.mark.parametrize(
    ("degrees", "shift"), [(0.0, (30.0, -25.0, 20.0)), (18.0, (0.0, 0.0, 0.0)), (-15.0, (-35.0, 20.0, 30.0))]
)
def test_far_starts_are_found_by_the_search(degrees: float, shift: tuple[float, float, float]) -> None:
    wanted = moved(degrees, shift)
    found = aligned(wanted, LinearSettings(model="rigid"))
    assert missed(found.matrix, wanted) < 1.0  # a quarter of a voxel
    assert found.after > found.before


def test_an_aligned_pair_stays_where_it_is() -> None:
    found = aligned(np.eye(4), LinearSettings())
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.model == found.start == "none"


def test_without_a_model_nothing_is_changed() -> None:
    found = aligned(np.eye(4), LinearSettings(start="identity", model="none"))
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.start == "none" and found.after == found.before


def test_a_stage_that_would_lower_the_similarity_is_not_taken() -> None:
    unrelated = Image(torch.rand(GRID.shape, generator=torch.Generator().manual_seed(3)) * 900, GRID)
    settings = LinearSettings(start="identity", search=4.0)  # one spacing, so that before and after are comparable
    found = align(FIXED, unrelated, BODY, BODY, MIND, settings)
    assert found.after >= found.before


def test_affine_scales_are_found() -> None:
    wanted = np.diag([1.08, 0.94, 1.05, 1.0])
    wanted[:3, 3] = 4, -3, 5
    grid = GRID
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    source = Linear(np.linalg.inv(wanted)).transform_points(grid.to_world(index).reshape(-1, 3)).reshape(index.shape)
    stretched = Image(torch.from_numpy(bright_on_dark(source).astype(np.float32)), grid)
    body = torch.from_numpy(inside(source) > 0.5)
    found = align(FIXED, stretched, BODY, body, MIND, LinearSettings(start="identity"))
    assert found.model == "affine" and missed(found.matrix, wanted) < 1.0


def test_where_landmarks_are_improved_upon_the_similarity_before_is_theirs() -> None:
    """Both are rigid; what the scans found is not what the landmarks began with."""
    wanted, clicked = moved(12.0, (0.0, 40.0, 0.0)), moved(9.0, (4.0, 36.0, 2.0))
    points = body_points(8)
    ones = np.ones(len(points))
    pairs = LandmarkPairs(points, Linear(clicked).transform_points(points), 3 * ones, ones)
    found = aligned(wanted, LinearSettings(), landmarks=pairs)
    assert found.model == "rigid" and found.start == "landmarks"
    assert missed(found.matrix, wanted) < 0.5 * missed(clicked, wanted)
    assert found.after > found.before + 0.05


def test_a_given_start_takes_the_place_of_the_search() -> None:
    wanted = moved(12.0, (0.0, 80.0, 0.0))
    rough = Transform((Linear(moved(10.0, (3.0, 77.0, 1.0))),))
    found = aligned(wanted, LinearSettings(), initial=rough)
    points = body_points(500)
    there = rough.transform_points(Linear(found.matrix).transform_points(points))
    assert np.linalg.norm(there - Linear(wanted).transform_points(points), axis=1).mean() < 1.4
    assert found.start in ("identity", "none")


def test_principal_axes_tell_how_the_body_is_turned() -> None:
    turn = rotation(17.0)
    first, second = (principal_axes(BODY, image) for image in (FIXED, placed(moved(17.0, (5.0, 5.0, 5.0)))))
    np.testing.assert_allclose(second @ first.T, turn, atol=0.02)
    assert np.linalg.det(first) > 0 and np.allclose(np.abs(np.diag(first)), 1, atol=0.05)


@pytest.mark.parametrize("start", ["centre", "axes"])
def test_centres_and_axes_are_starts_too(start: str) -> None:
    wanted = moved(14.0, (70.0, -60.0, 50.0))
    found = aligned(wanted, LinearSettings(start=start, model="rigid"))
    assert found.start == start and missed(found.matrix, wanted) < 1.5


def test_the_fan_of_rotations_holds_each_angle_both_ways() -> None:
    turns = rotations((15.0, 30.0))
    assert len(turns) == 13 and all(np.isclose(np.linalg.det(t), 1) for t in turns)
    angles = sorted(round(float(np.rad2deg(np.arccos((np.trace(t) - 1) / 2)))) for t in turns)
    assert angles == [0] + 6 * [15] + 6 * [30]


def test_a_turn_about_a_centre_brings_it_onto_the_other_centre() -> None:
    a, b = np.array([10.0, -4.0, 7.0]), np.array([-30.0, 22.0, 1.0])
    np.testing.assert_allclose(Linear(about(rotation(33), a, b)).transform_points(a[None])[0], b, atol=1e-9)


def test_the_centre_of_mass_is_in_mm_and_that_of_an_empty_mask_is_the_middle() -> None:
    lattice = Lattice((10, 12, 8), moved(30.0, (5.0, 6.0, 7.0)) @ np.diag([2.0, 1.0, 3.0, 1.0]))
    mask = torch.zeros(lattice.shape, dtype=torch.bool)
    np.testing.assert_allclose(centre_of_mass(mask, lattice), lattice.centre)
    mask[2:5, 3, 6] = True
    np.testing.assert_allclose(centre_of_mass(mask, lattice), lattice.to_world(np.array([3.0, 3.0, 6.0])), atol=1e-6)


def test_the_nearest_rigid_matrix_is_a_rotation() -> None:
    found = nearest(moved(20.0, (1.0, 2.0, 3.0)) @ np.diag([1.1, 0.9, 1.05, 1.0]), "rigid")
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(nearest(moved(20.0, (1.0, 2.0, 3.0)), "rigid"), moved(20.0, (1.0, 2.0, 3.0)), atol=1e-12)

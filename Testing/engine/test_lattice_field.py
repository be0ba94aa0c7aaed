"""Lattices, fields, folds and chains against answers known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.errors import DsirError, TransformError
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur, resample, sample, thinned
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.inversion import displacement_and_gradient, invert_field, invert_points
from dsir.transforms.jacobian import determinant, fold_report
from dsir.transforms.linear import Linear
from grids import GRIDS, field_of, lattice, points_inside, rotation, waves

ODD = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())


def round_trip(transform: Transform, inverse: Transform, points: np.ndarray) -> np.ndarray:
    """(N,) |T(T^-1(y)) - y| in mm at points of the moving space."""
    points = points.reshape(-1, 3)
    return np.linalg.norm(transform.transform_points(inverse.transform_points(points)) - points, axis=1)


def voxels(grid: Lattice) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1))


def affine(degrees: float = 9.0) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(degrees) @ np.diag([1.1, 0.9, 1.05])
    matrix[:3, 3] = (4.0, -3.0, 2.0)
    return matrix


# Lattice


@ODD
def test_index_and_world_are_each_others_inverse(grid):
    index = np.random.default_rng(0).uniform(-5, 40, (100, 3))
    assert np.abs(grid.to_index(grid.to_world(index)) - index).max() < 1e-9


@ODD
def test_a_new_spacing_keeps_the_centre_and_covers_the_box(grid):
    for spacing in (0.7, 3.0, (1.0, 2.0, 4.0)):
        other = grid.with_spacing(np.array(spacing))
        assert np.allclose(other.centre, grid.centre) and np.allclose(other.directions, grid.directions)
        assert (other.extent >= grid.extent - 1e-2).all()


@ODD
def test_a_window_holds_the_same_voxels(grid):
    window = grid.window(np.array([2, -3, 4]), (5, 6, 3))
    assert np.allclose(window.to_world(np.array([1, 4, 0])), grid.to_world(np.array([3, 1, 4])))


def test_edges_belong_to_the_lattice_and_what_is_beyond_does_not():
    grid = lattice((10, 10, 10), degrees=30)
    assert grid.contains(grid.to_world(np.array([[-0.5, 0, 9.5], [4, 4, 4]]))).all()
    assert not grid.contains(grid.to_world(np.array([[-0.6, 0, 0], [4, 4, 9.6]]))).any()


@pytest.mark.parametrize(
    ("change", "says"),
    [((0, 1, 0.3), "sheared"), ((2, 2, 0.0), "singular"), ((0, 3, np.nan), "not a finite")],
)
def test_impossible_affines_are_refused(change, says):
    matrix = np.eye(4)
    matrix[change[:2]] = change[2]
    with pytest.raises(DsirError, match=says):
        Lattice((4, 4, 4), matrix)


# Reading between voxels


@ODD
def test_a_linear_ramp_is_read_exactly_on_any_other_lattice(grid):
    slope = np.array([2.0, -1.0, 0.5])
    source = grid.with_spacing(2.5)
    ramp = torch.from_numpy((voxels(source) @ slope).astype(np.float32))
    target = lattice((8, 7, 6), (1.5, 1.0, 2.0), degrees=33, left_handed=True, centre=tuple(grid.centre))
    read = resample(ramp, source, target, antialias=False)
    assert np.abs(read.numpy() - voxels(target) @ slope).max() < 1e-2


def test_outside_is_zero_or_the_edge():
    volume = torch.full((1, 4, 4, 4), 5.0)
    far = torch.tensor([[-3.0], [1.0], [1.0]])
    assert sample(volume, far).item() == 0 and sample(volume, far, padding="border").item() == 5


# Fields


@ODD
def test_a_field_sends_points_where_the_formula_does(grid):
    field, points = field_of(grid, lambda p: waves(p, 3.0, 120.0)), points_inside(grid, 300)
    assert np.abs(field.transform_points(points) - points - waves(points, 3.0, 120.0)).max() < 0.1
    at_voxels = voxels(grid)[1:4, 2:5, 3:6].reshape(-1, 3)
    assert np.abs(field.at(at_voxels) - waves(at_voxels, 3.0, 120.0)).max() < 1e-3


@ODD
def test_an_affine_field_is_the_affine(grid):
    field, points = DisplacementField.from_affine(affine(), grid), points_inside(grid, 200)
    assert np.abs(field.transform_points(points) - Linear(affine()).transform_points(points)).max() < 1e-3


@ODD
def test_voxel_displacements_and_millimetres_convert_both_ways(grid):
    field = field_of(grid)
    assert torch.allclose(DisplacementField.from_index(field.to_index(), grid).vectors, field.vectors, atol=1e-4)
    step = DisplacementField.from_index(torch.tensor([1.0, 0, 0]).view(3, 1, 1, 1).expand(3, *grid.shape), grid)
    assert np.allclose(step.vectors[:, 0, 0, 0].numpy(), grid.affine[:3, 0], atol=1e-5)


@ODD
def test_a_composition_is_one_field_after_the_other(grid):
    first, second = field_of(grid), field_of(lattice((50, 50, 50)), lambda p: waves(p + 17, 3.0, 90.0))
    at = voxels(grid).reshape(-1, 3)
    expected = second.transform_points(first.transform_points(at))
    assert np.abs(second.after(first).transform_points(at) - expected).max() < 2e-3


@ODD
def test_the_gradient_of_an_affine_field_is_its_matrix(grid):
    field, points = DisplacementField.from_affine(affine(), grid), points_inside(grid, 50)
    u, gradient = displacement_and_gradient(field, points)
    assert np.abs(gradient - (affine()[:3, :3] - np.eye(3))).max() < 1e-4
    assert np.abs(u - field.at(points)).max() < 1e-3


def test_the_edge_displacement_continues_outside():
    grid = lattice((10, 10, 10), degrees=25)
    field = field_of(grid)
    edge, beyond = grid.to_world(np.array([[0.0, 4, 4]])), grid.to_world(np.array([[-7.0, 4, 4]]))
    assert np.allclose(field.at(beyond), field.at(edge), atol=1e-4)
    u, gradient = displacement_and_gradient(field, beyond)
    assert np.allclose(u, field.at(edge), atol=1e-4)
    assert np.allclose(gradient[0] @ grid.directions[:, 0], 0, atol=1e-9)


# Inverses


@ODD
@pytest.mark.parametrize("amplitude", [4.0, 8.0])
def test_a_folding_free_field_is_inverted(grid, amplitude):
    field = field_of(grid, lambda p: waves(p, amplitude, 70.0))
    assert fold_report(field).folds == 0
    back = Transform((invert_field(field),))
    error = round_trip(Transform((field,)), back, voxels(grid))
    assert error.max() < 5e-3 and len(error) == np.prod(grid.shape)


@pytest.mark.parametrize("strength", [-0.97, -0.8, 1.5, 4.0])
def test_steep_squeezing_and_stretching_are_inverted(strength):
    """|grad u| >= 1 or close to it: fixed-point iteration alone runs away or takes for ever."""
    grid = lattice((32, 32, 14))

    def squeeze(points: np.ndarray) -> np.ndarray:
        u = strength * 15 * np.tanh((points - grid.centre) / 15)
        u[..., 2] = 0
        return u

    field = field_of(grid, squeeze)
    assert fold_report(field).folds == 0
    error = round_trip(Transform((field,)), Transform((invert_field(field),)), voxels(grid))
    assert error.max() < 5e-3


def test_an_inverse_on_a_lattice_in_moving_space():
    grid = lattice((40, 40, 40))
    field = field_of(grid, lambda p: waves(p, 4.0, 80.0))
    elsewhere = lattice((20, 22, 24), (3.0, 2.0, 2.5), degrees=31, left_handed=True)
    error = round_trip(Transform((field,)), Transform((invert_field(field, elsewhere),)), voxels(elsewhere))
    assert error.max() < 5e-3


def test_points_are_inverted_between_voxels_too():
    field = field_of(GRIDS["anisotropic"], lambda p: waves(p, 5.0, 60.0))
    points = points_inside(GRIDS["anisotropic"], 1000, margin=-2)
    back, left = invert_points(field, points)
    assert left.max() < 1e-3
    assert np.abs(field.transform_points(back) - points).max() < 1e-3


@ODD
def test_a_chain_inverts_from_back_to_front(grid):
    transform = Transform((field_of(grid, lambda p: waves(p, 3.0, 90.0)), Linear(affine())))
    moving = lattice((30, 30, 30), centre=tuple(Linear(affine()).transform_points(grid.centre[None])[0]))
    inverse = transform.inverse(moving)
    points = transform.transform_points(points_inside(grid, 200, margin=2))
    assert round_trip(transform, inverse, points).max() < 0.25  # of the lattice's own interpolation
    assert round_trip(transform, inverse, points).mean() < 0.05


# Folds


def test_the_determinant_of_an_affine_field_is_that_of_its_matrix():
    for grid in GRIDS.values():
        field = DisplacementField.from_affine(affine(), grid)
        expected = np.linalg.det(affine()[:3, :3])
        assert torch.allclose(determinant(field), torch.tensor(expected, dtype=torch.float32), atol=1e-4)
        report = fold_report(field)
        assert report.folds == 0 and report.sd_log_j < 1e-4 and report.voxels == np.prod(grid.shape)


def test_a_reflection_folds_everywhere():
    grid = GRIDS["oblique"]
    report = fold_report(DisplacementField.from_affine(np.diag([-1.0, 1.0, 1.0, 1.0]), grid))
    assert report.folds == np.prod(grid.shape) and report.smallest == pytest.approx(-1.0, abs=1e-3)


def test_one_sided_stencils_find_the_fold_that_central_differences_miss():
    grid = lattice((9, 9, 9), (1.0, 1.0, 1.0))
    displacement = torch.zeros(3, *grid.shape)
    displacement[0, 4] = -1.2  # this layer passes its neighbour; seen over two voxels nothing folds
    field = DisplacementField.from_index(displacement, grid)
    assert (determinant(field) > 0).all()
    report = fold_report(field)
    assert report.folds > 0 and report.smallest == pytest.approx(-0.2, abs=1e-5)


def test_folds_count_inside_the_mask_only():
    grid = lattice((12, 9, 9), (1.0, 1.0, 1.0))
    displacement = torch.zeros(3, *grid.shape)
    displacement[0, 3] = -1.2
    mask = torch.zeros(grid.shape, dtype=torch.bool)
    mask[6:] = True
    field = DisplacementField.from_index(displacement, grid)
    assert fold_report(field).folds > 0 and fold_report(field, mask).folds == 0
    assert fold_report(field, mask).voxels == int(mask.sum())


def test_the_spread_of_log_j_of_a_known_field():
    grid = lattice((40, 8, 8), (1.0, 1.0, 1.0))
    half = np.zeros(40)
    half[20:] = 0.5 * np.arange(20)  # det 1 on one side, 1.5 on the other
    displacement = torch.zeros(3, *grid.shape)
    displacement[0] = torch.from_numpy(half).float().view(-1, 1, 1)
    report = fold_report(DisplacementField.from_index(displacement, grid))
    assert report.sd_log_j == pytest.approx(np.log(1.5) / 2, rel=0.05)


# Chains


@ODD
def test_a_chain_as_one_field_agrees_with_its_parts(grid):
    transform = Transform(
        (field_of(grid), Linear(affine()), field_of(lattice((70, 70, 70)), lambda p: waves(p, 2, 150)))
    )
    at = voxels(grid).reshape(-1, 3)
    assert np.abs(transform.displacement(grid).transform_points(at) - transform.transform_points(at)).max() < 5e-3


@pytest.mark.parametrize("planes", [1, 7])
def test_a_field_made_slab_by_slab_is_the_field_made_at_once(planes, monkeypatch):
    grid = GRIDS["oblique and left-handed"]
    transform = Transform((field_of(grid.with_spacing(3.0)), Linear(affine())))
    whole = transform.displacement(grid).vectors
    monkeypatch.setattr("dsir.transforms.composite.SLAB", planes * grid.shape[1] * grid.shape[2])
    assert torch.allclose(transform.displacement(grid).vectors, whole, atol=1e-4)


def test_a_singular_linear_part_is_refused():
    with pytest.raises(TransformError, match="singular"):
        Linear(np.diag([1.0, 1.0, 0.0, 1.0]))
    assert Transform().transform_points(np.ones((2, 3))).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_a_fine_volume_is_thinned_in_place_and_blurred_as_much_as_without() -> None:
    fine = Lattice((41, 30, 26), np.array([[0, 0.5, 0, 3], [-0.5, 0, 0, 9], [0, 0, 2.0, -4], [0, 0, 0, 1.0]]))
    points = fine.to_world(np.stack(np.meshgrid(*map(np.arange, fine.shape), indexing="ij"), -1))
    wave = torch.from_numpy(np.sin(0.3 * points[..., 0]) + 0.1 * points[..., 1] - 0.2 * points[..., 2]).float()
    thin, lattice, rest = thinned(wave[None], fine, 3.0)
    assert lattice.shape == (14, 10, 26) and np.allclose(lattice.spacing, [1.5, 1.5, 2.0])
    target = lattice.window(np.array([3, 2, 4]), (8, 6, 16))
    straight = resample(wave, fine, target.with_spacing(3.0))
    by_blocks = resample(gaussian_blur(thin, rest), lattice, target.with_spacing(3.0), antialias=False)[0]
    assert (straight - by_blocks).abs().max() < 0.03 and straight.std() > 0.5
    same, its, sigmas = thinned(wave[None], fine, 0.9)
    assert same.shape[1:] == wave.shape and its is fine and max(sigmas) > 0

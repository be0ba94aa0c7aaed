"""One Gauss-Newton step: goes where the data pull, bends smoothly, stays where nothing is known."""

from __future__ import annotations

import pytest
import torch
from dsir.geometry.sampling import index_grid
from dsir.registration.normal import NormalEquations, normal_equations
from dsir.registration.solver import Stiffness, expanded, inverted, laplacian, multiplied, pooled, step
from test_registration_normal import SHAPE, interior, waves

pytestmark = pytest.mark.slow


def nothing_known(shape: tuple[int, int, int] = SHAPE) -> NormalEquations:
    return NormalEquations(torch.zeros(6, *shape), torch.zeros(3, *shape), 0.0, 0.0)


def test_where_nothing_is_left_over_nothing_moves() -> None:
    same = normal_equations(waves((0, 0, 0)), waves((0, 0, 0)), torch.ones(SHAPE), interior(), index_grid(SHAPE))
    assert step(same, torch.zeros(3, *SHAPE), interior(), Stiffness()).abs().max() < 1e-6


def test_a_shift_is_followed_whole_where_the_iteration_is_given_time() -> None:
    wanted = torch.tensor([0.6, -0.4, 0.5])
    found = normal_equations(
        waves(tuple(wanted.tolist())), waves((0, 0, 0)), torch.ones(SHAPE), interior(), index_grid(SHAPE)
    )
    d = step(found, torch.zeros(3, *SHAPE), interior(), Stiffness(iterations=300))
    middle = d[:, 5:-5, 5:-5, 5:-5].flatten(1)
    assert (middle - wanted[:, None]).norm(dim=0).mean() < 0.06


def test_the_usual_few_iterations_go_the_right_way_and_not_too_far() -> None:
    wanted = torch.tensor([0.6, -0.4, 0.5])
    found = normal_equations(
        waves(tuple(wanted.tolist())), waves((0, 0, 0)), torch.ones(SHAPE), interior(), index_grid(SHAPE)
    )
    mean = step(found, torch.zeros(3, *SHAPE), interior(), Stiffness())[:, 5:-5, 5:-5, 5:-5].flatten(1).mean(1)
    assert 0 < float((mean * wanted).sum()) < 1.1 * float(wanted.square().sum())


def test_without_data_the_field_is_drawn_to_rest() -> None:
    bump = torch.zeros(3, *SHAPE)
    bump[0, 8:12, 8:10, 6:10] = 2.0
    d = step(nothing_known(), bump, torch.zeros(SHAPE), Stiffness(anchor=1.0, iterations=100))
    assert (bump + d).square().sum() < 0.3 * bump.square().sum()


def test_bending_costs_nothing_for_an_affine_field_away_from_the_border() -> None:
    x = index_grid((14, 14, 14))
    matrix = torch.tensor([[0.1, 0.2, 0.0], [-0.2, 0.05, 0.1], [0.0, -0.1, -0.1]])
    affine = torch.einsum("rc,cijk->rijk", matrix, x)
    assert laplacian(laplacian(affine))[:, 2:-2, 2:-2, 2:-2].abs().max() < 1e-4
    assert laplacian(x.square())[:, 1:-1, 1:-1, 1:-1].sub(2).abs().max() < 1e-4


def test_the_laplacian_is_symmetric() -> None:
    draw = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3, 7, 6, 5, generator=draw).double()
    assert abs(float((laplacian(a) * b).sum() - (a * laplacian(b)).sum())) < 1e-9


def test_the_step_solves_its_equations() -> None:
    stiffness = Stiffness(bending=3.0, membrane=0.1, control=1, iterations=1000)
    found = normal_equations(
        waves((0.6, -0.4, 0.5)), waves((0, 0, 0)), torch.ones(SHAPE), interior(), index_grid(SHAPE)
    )
    u = 0.1 * waves((0, 0, 0), 3)
    d = step(found, u, interior(), stiffness)
    unit = found.matrix[:3].sum() / 3 / interior().sum()
    both = u + d
    anchor = stiffness.anchor * (1 - interior()) + 1e-6
    left = multiplied(found.matrix / unit, d) + 3.0 * laplacian(laplacian(both)) - 0.1 * laplacian(both) + anchor * both
    assert (left - found.right / unit).norm() < 2e-2 * (found.right / unit).norm()


def test_the_inverse_of_symmetric_matrices_is_their_inverse() -> None:
    draw = torch.Generator().manual_seed(0)
    a = torch.randn(3, 3, 50, generator=draw).double()
    full = torch.einsum("ijn,kjn->ikn", a, a)
    six = torch.stack([full[0, 0], full[1, 1], full[2, 2], full[0, 1], full[0, 2], full[1, 2]])
    v = torch.randn(3, 50, generator=draw).double()
    ridge = torch.full((50,), 0.1).double()
    back = multiplied(inverted(six, ridge), multiplied(six, v) + ridge * v)
    torch.testing.assert_close(back, v, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8, 8), (9, 7, 5), (1, 6, 3)])
def test_blocks_and_back_keep_shape_and_constants(shape: tuple[int, int, int]) -> None:
    values = torch.full((3, *shape), 2.5)
    small = pooled(values, 2)
    assert small.shape[1:] == tuple((n + 1) // 2 for n in shape)
    torch.testing.assert_close(expanded(small, 2, shape), values)


def answer_to_a_wave(spacing: float, stiffness: Stiffness, *, wave: float = 40.0) -> float:
    """Amplitude of the step where every voxel asks for a wave of length ``wave`` mm and amplitude 1."""
    shape = (round(2 * wave / spacing), 6, 6)
    asked = torch.zeros(3, *shape)
    asked[1] = torch.sin(2 * torch.pi * spacing / wave * torch.arange(shape[0]))[:, None, None]
    matrix = torch.cat([torch.ones(3, *shape), torch.zeros(3, *shape)])
    d = step(NormalEquations(matrix, asked, 0.0, 0.0), torch.zeros(3, *shape), torch.ones(shape), stiffness)
    inside = slice(shape[0] // 4, -shape[0] // 4)
    return float((d[1, inside] * asked[1, inside]).sum() / asked[1, inside].square().sum())


def test_a_stiffness_means_the_same_in_mm_on_coarser_and_finer_grids() -> None:
    held = Stiffness(bending=200.0, control=1, iterations=200)
    usual = answer_to_a_wave(2.0, held)
    assert 0.2 < usual < 0.8, "the wave must be one that this stiffness tells from its neighbours"
    for spacing in (1.25, 2.5, 4.0):
        assert answer_to_a_wave(spacing, held.on(spacing)) == pytest.approx(usual, abs=0.04)
    assert answer_to_a_wave(4.0, held) < 0.3 * usual, "in voxels it would not"

"""The expected error against the inverse of the whole system, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.registration.expected_error import expected_covariance, lower_root
from dsir.registration.normal import PAIRS, NormalEquations
from dsir.registration.solver import Stiffness, laplacian, multiplied

SHAPE = (6, 5, 4)
STIFF = Stiffness(bending=0.7, control=1, iterations=40)


def equations(seed: int = 0) -> NormalEquations:
    """Random positive matrices, thirty times as large in the half with the larger first index."""
    torch.manual_seed(seed)
    slopes = torch.randn(3, 5, *SHAPE)
    slopes[:, :, 3:] *= 30**0.5
    matrix = torch.stack([(slopes[a] * slopes[b]).sum(0) for a, b in PAIRS])
    return NormalEquations(matrix, torch.zeros(3, *SHAPE), cost=2.0, covered=1.0)


def exact(found: NormalEquations) -> torch.Tensor:
    """(3, 3, I, J, K): blocks on the diagonal of s2 (H + R + A)^-1, by a dense matrix."""
    unit = found.matrix[:3].sum() / 3 / np.prod(SHAPE)
    count = 3 * int(np.prod(SHAPE))
    columns = []
    for column in torch.eye(count).view(count, 3, *SHAPE):
        bent = STIFF.bending * laplacian(laplacian(column)) + 1e-6 * column
        columns.append((multiplied(found.matrix / unit, column) + bent).flatten())
    inverse = torch.linalg.inv(torch.stack(columns).double()) * found.cost / 8 / unit
    return torch.einsum("aibi->abi", inverse.view(3, count // 3, 3, count // 3)).view(3, 3, *SHAPE).float()


@pytest.mark.slow
def test_it_is_the_diagonal_of_the_inverse_of_curvature_and_stiffness(monkeypatch) -> None:
    monkeypatch.setattr("dsir.registration.expected_error.AVERAGED", 1e-3)
    found = equations()
    estimate = expected_covariance(found, torch.ones(SHAPE), STIFF, channels=8, draws=200)
    asked = exact(found)
    for n, (row, column) in enumerate(PAIRS):
        scale = (asked[row, row] * asked[column, column]).sqrt()
        assert ((estimate[n] - asked[row, column]) / scale).abs().mean() < 0.12


def test_little_is_known_where_little_is_seen() -> None:
    estimate = expected_covariance(equations(), torch.ones(SHAPE), STIFF, channels=8)[:3].sum(0)
    assert estimate[:2].mean() > 2 * estimate[4:].mean()


def test_it_is_the_same_every_time_and_leaves_the_random_state_alone() -> None:
    found, before = equations(), torch.get_rng_state()
    first, second = (expected_covariance(found, torch.ones(SHAPE), STIFF, channels=8) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


def test_the_root_of_a_singular_matrix_is_its_root() -> None:
    slope = torch.tensor([1.0, -2.0, 0.5])
    matrix = torch.stack([slope[a] * slope[b] for a, b in PAIRS])
    a, b, c, d, e, f = lower_root(matrix)
    lower = torch.tensor([[a, 0, 0], [b, d, 0], [c, e, f]])
    assert torch.allclose(lower @ lower.T, torch.outer(slope, slope), atol=1e-5)

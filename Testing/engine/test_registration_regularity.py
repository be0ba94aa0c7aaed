"""The promise that no field folds, held against fields that do."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur, index_grid
from dsir.registration.regularity import FLOOR, composed, remove_folds, safe_step, smallest_determinant
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import fold_report
from grids import rotation


def noise(shape: tuple[int, int, int], amplitude: float, seed: int = 0, blur: float = 0.0) -> torch.Tensor:
    """(3, I, J, K) voxels of random displacement with that standard deviation."""
    u = torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed))
    u = gaussian_blur(u, blur) if blur else u
    return amplitude * u / u.std()


def report(u: torch.Tensor):
    return fold_report(DisplacementField.from_index(u, Lattice(tuple(u.shape[1:]), np.eye(4))))


def determinants_inside_cells(u: torch.Tensor, draws: int = 40, seed: int = 0) -> torch.Tensor:
    """(draws, cells) exact determinants of the trilinear field at random points of every cell."""
    u = u.double()
    corner = {
        (a, b, c): u[:, a : u.shape[1] - 1 + a, b : u.shape[2] - 1 + b, c : u.shape[3] - 1 + c]
        for a, b, c in product((0, 1), repeat=3)
    }
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        at = draw.random(3)
        columns = []
        for axis in range(3):
            column = torch.zeros_like(corner[0, 0, 0])
            for c, values in corner.items():
                weights = [at[d] if c[d] else 1 - at[d] for d in range(3)]
                weights[axis] = 1.0 if c[axis] else -1.0
                column += float(np.prod(weights)) * values
            column[axis] += 1
            columns.append(column)
        found.append((columns[0] * torch.linalg.cross(columns[1], columns[2], dim=0)).sum(0).flatten())
    return torch.stack(found)


@pytest.mark.parametrize("amplitude", [0.15, 0.4, 2.0])
def test_the_bound_is_below_the_determinant_everywhere_in_the_cell(amplitude: float) -> None:
    u = noise((7, 8, 6), amplitude)
    bound = smallest_determinant(u).flatten()
    looked_at = bound != 1.0  # cells of small differences are not worked out, only promised to lie above the floor
    inside = determinants_inside_cells(u).amin(0)
    assert (bound[looked_at] <= inside[looked_at] + 1e-4).all()
    assert (inside[~looked_at] >= FLOOR).all()


@pytest.mark.parametrize("amplitude", [0.3, 1.0, 5.0])
def test_the_bound_is_below_all_nine_stencils(amplitude: float) -> None:
    u = noise((9, 8, 10), amplitude, seed=3, blur=0.8)
    bound = smallest_determinant(u, floor=1.0)
    # Central differences are means of two cells' edges, which the bound holds for where both share one Jacobian; so it
    # is the one-sided stencils that every cell must stay below.
    assert float(bound.min()) <= report(u).smallest + 1e-4 or report(u).smallest > 0


def test_good_fields_are_left_as_they_are() -> None:
    x = index_grid((16, 15, 14))
    smooth = 2.0 * torch.sin(x / 4.0).flip(0)
    turned = torch.einsum("rc,cijk->rijk", torch.tensor(rotation(20) - np.eye(3), dtype=torch.float32), x)
    for u in (torch.zeros_like(smooth), smooth, turned):
        after, count = remove_folds(u)
        assert count == 0 and torch.equal(after, u)


@pytest.mark.parametrize(("amplitude", "blur"), [(0.6, 0.0), (3.0, 0.0), (30.0, 0.0), (8.0, 1.5), (40.0, 3.0)])
def test_noise_of_many_voxels_is_cured(amplitude: float, blur: float) -> None:
    u = noise((24, 20, 22), amplitude, seed=1, blur=blur)
    assert report(u).folds > 0
    after, count = remove_folds(u)
    found = report(after)
    assert count > 0 and found.folds == 0 and found.smallest > 0
    assert float(determinants_inside_cells(after, draws=10).min()) > 0


def test_only_the_neighbourhood_of_a_fold_is_changed() -> None:
    u = torch.zeros(3, 30, 30, 30)
    u[0, 14, 14, 14] = 1.5
    after, count = remove_folds(u)
    changed = torch.nonzero((after - u).abs().amax(0) > 1e-6)
    assert count > 0 and report(after).folds == 0
    assert changed.min() > 4 and changed.max() < 25


@pytest.mark.parametrize("shape", [(1, 12, 12), (12, 2, 12), (2, 2, 2)])
def test_thin_lattices_are_mended_too(shape: tuple[int, int, int]) -> None:
    after, _ = remove_folds(noise(shape, 3.0))
    assert after.shape == (3, *shape) and report(after).folds == 0


@pytest.mark.parametrize("amplitude", [0.1, 2.0, 50.0])
def test_a_step_is_never_longer_than_a_voxel_nor_folds(amplitude: float) -> None:
    d = safe_step(noise((14, 13, 12), amplitude, seed=2))
    assert d.norm(dim=0).max() <= 1 + 1e-5
    assert report(d).smallest > 0


def test_gentle_steps_are_taken_whole() -> None:
    d = 0.3 * torch.sin(index_grid((14, 14, 14)) / 5).flip(0)
    assert torch.equal(safe_step(d), d)


def test_composition_agrees_with_the_composition_of_formulas() -> None:
    x = index_grid((30, 28, 26))

    def first(p: torch.Tensor) -> torch.Tensor:
        return 1.5 * torch.sin(p.flip(0) / 7)

    def second(p: torch.Tensor) -> torch.Tensor:
        return 2.0 * torch.cos(p.roll(1, 0) / 8)

    wanted = first(x) + second(x + first(x))
    found = composed(second(x), first(x))
    assert (found - wanted)[:, 4:-4, 4:-4, 4:-4].abs().max() < 0.02
    torch.testing.assert_close(composed(second(x), torch.zeros_like(x)), second(x), atol=1e-4, rtol=0)


def test_a_hundred_safe_steps_composed_and_mended_never_fold() -> None:
    u = torch.zeros(3, 12, 12, 12)
    for n in range(100):
        u = composed(u, safe_step(noise((12, 12, 12), 1.0, seed=n, blur=1.0)))
    assert report(remove_folds(u)[0]).folds == 0

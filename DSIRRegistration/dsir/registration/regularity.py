"""The promise that no field folds: bounded steps, an exact test for every cell, and a cure that always ends.

Between its voxels a field is trilinear, so each column of its Jacobian, anywhere in a cell, is a convex combination of
the differences along that cell's four parallel edges. The determinant is linear in each column: if it is positive for
all 4 x 4 x 4 choices of edges it is positive everywhere in the cell, and by every stencil that reads its corners.
"""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F

from ..geometry.lattice import as_shape
from ..geometry.sampling import gaussian_blur, index_grid, sample

SLAB = 60_000
"""Cells tested at a time, so that what is between stays in the processor's cache."""

FLOOR = 0.05
"""Determinants below this are pushed back up, so that resampling and rounding to file cannot reach zero."""


def smallest_determinant(u: torch.Tensor, *, floor: float = FLOOR) -> torch.Tensor:
    """A lower bound of det(1 + du/dx) in every cell.

    Args:
        u: (3, I, J, K) displacement in voxels.

    Returns:
        (I-1, J-1, K-1): the smallest determinant over the 64 choices of edges; 1 in cells whose differences are so
        small that Gershgorin's theorem keeps it above ``floor``.
    """
    out = u.new_ones(tuple(n - 1 for n in u.shape[1:]))
    planes = max(1, SLAB // max(1, out[0].numel()))
    for start in range(0, out.shape[0], planes):  # all edges of a volume at once are 36 times as large
        _find_smallest(u[:, start : start + planes + 1], floor, out[start : start + planes])
    return out


def _find_smallest(u: torch.Tensor, floor: float, out: torch.Tensor) -> None:
    """:func:`smallest_determinant` of a few planes, into ``out``."""
    steep = sum((_steepest(u, axis) for axis in range(3)), start=u.new_zeros(())).amax(0)  # largest row sum of |du/dx|
    suspects = steep > 1 - floor ** (1 / 3)
    if not bool(suspects.any()):
        return
    columns = [_edges(u, axis)[..., suspects] for axis in range(3)]  # (4, 3, N)
    identity = torch.eye(3, dtype=u.dtype, device=u.device)
    worst = torch.full_like(columns[0][0, 0], float("inf"))
    for choice in product(range(4), repeat=3):
        a, b, c = (columns[axis][choice[axis]] + identity[axis].view(3, 1) for axis in range(3))
        worst = torch.minimum(worst, (a * torch.linalg.cross(b, c, dim=0)).sum(0))
    out[suspects] = worst


def _steepest(u: torch.Tensor, axis: int) -> torch.Tensor:
    """(3, I-1, J-1, K-1): the largest difference, without its sign, along a cell's four edges parallel to ``axis``."""
    difference = torch.diff(u, dim=axis + 1).abs_()
    for other in range(3):
        if other != axis:
            count = u.shape[other + 1] - 1
            first, second = (difference.narrow(other + 1, begin, count) for begin in (0, 1))
            difference = torch.maximum(first, second)
    return difference


def _edges(u: torch.Tensor, axis: int) -> torch.Tensor:
    """(4, 3, I-1, J-1, K-1): differences along the four edges of each cell that are parallel to ``axis``."""
    difference = torch.diff(u, dim=axis + 1)
    others = [d + 1 for d in range(3) if d != axis]
    parts = []
    for first, second in product((0, 1), repeat=2):
        part = difference.narrow(others[0], first, u.shape[others[0]] - 1)
        parts.append(part.narrow(others[1], second, u.shape[others[1]] - 1))
    return torch.stack(parts)


def remove_folds(u: torch.Tensor, *, floor: float = FLOOR, rounds: int = 60) -> tuple[torch.Tensor, int]:
    """A field without folds, changed only around the cells that had them.

    Cells below ``floor`` are smoothed together with a rim that grows from round to round. Should that not end (noise
    of many voxels' amplitude), the whole field is shrunk until it does: towards zero every determinant goes to 1.

    Returns:
        the field, and the number of cells that needed mending at first.
    """
    for axis, size in enumerate(u.shape[1:], start=1):
        if size == 1:  # a single slice has no cells; two alike do, and stay alike under everything below
            cured, count = remove_folds(u.repeat_interleave(2, axis), floor=floor, rounds=rounds)
            return cured.narrow(axis, 0, 1), count
    first = 0
    for n in range(rounds):
        bad = smallest_determinant(u, floor=floor) < floor
        count = int(bad.sum())
        first = first or count
        if count == 0:
            return u, first
        reach = 1 + n // 4
        spread = F.max_pool3d(bad.float()[None, None], 2 * reach + 1, stride=1, padding=reach)[0]
        blend = gaussian_blur(F.pad(spread[None], (0, 1, 0, 1, 0, 1), mode="replicate")[0], 1.0)
        u = u + blend * (gaussian_blur(u, 1.0 + n / 10) - u)
    while int((smallest_determinant(u, floor=floor) < floor).sum()):
        u = u * 0.8
    return u, first


def safe_step(d: torch.Tensor, *, radius: float = 1.0, steepest: float = 0.5) -> torch.Tensor:
    """A step (3, I, J, K) in voxels that is a diffeomorphism itself.

    Args:
        radius: voxels; no step is longer (a trust region).
        steepest: largest slope of the step.
    """
    d = d * (radius / d.square().sum(0).sqrt().clamp(min=radius))
    for _ in range(4):
        slope = max(
            float(torch.diff(d, dim=axis + 1).abs().max()) if d.shape[axis + 1] > 1 else 0.0 for axis in range(3)
        )
        if slope <= steepest / 3**0.5:
            return d
        d = gaussian_blur(d, 1.0)
    return d * (steepest / 3**0.5 / slope)


def composed(u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """(1 + u) o (1 + d) - 1 = d + u(x + d); (3, I, J, K) in voxels."""
    return d + sample(u, index_grid(as_shape(d.shape[1:]), device=d.device) + d, padding="border")

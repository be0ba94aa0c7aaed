"""What a field does to volume: Jacobian determinants and folds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from .composite import Transform
from .field import DisplacementField

SLAB = 2_000_000
"""Voxels whose determinants are taken at a time: their nine derivatives are nine volumes."""


@dataclass(frozen=True)
class FoldReport:
    """How regular a field is.

    Attributes:
        folds: voxels where the determinant is <= 0 by central differences or by any of the eight one-sided stencils.
        smallest: the smallest determinant over all stencils.
        sd_log_j: standard deviation of log det J by central differences, det clipped to [1e-3, 1e3] (Learn2Reg).
        voxels: how many voxels were looked at.
    """

    folds: int
    smallest: float
    sd_log_j: float
    voxels: int


def determinant(field: DisplacementField) -> torch.Tensor:
    """(I, J, K) det J of x -> x + u(x), central differences (one-sided at the border); made slab by slab."""
    vectors, lattice = field.vectors, field.lattice
    out = vectors.new_empty(lattice.shape)
    planes = max(1, SLAB // (lattice.shape[1] * lattice.shape[2]))
    for start in range(0, lattice.shape[0], planes):
        stop = min(start + planes, lattice.shape[0])
        low, high = max(start - 1, 0), min(stop + 1, lattice.shape[0])
        window = lattice.window(np.array([low, 0, 0]), (high - low, *lattice.shape[1:]))
        slab = DisplacementField(vectors[:, low:high], window).to_index()
        whole = _det([_central(slab, axis) for axis in range(3)])
        out[start:stop] = whole[start - low : stop - low]
    return out


def gradient_at(transform: Transform, points: np.ndarray, reach: float) -> np.ndarray:
    """(N, 3, 3) dT_i/dx_j at points (N, 3), by differences over ``reach`` mm to each side."""
    ends = [(transform.transform_points(points + step), transform.transform_points(points - step))
            for step in reach * np.eye(3)]  # fmt: skip
    return np.stack([(ahead - behind) / (2 * reach) for ahead, behind in ends], -1)


def _central(u: torch.Tensor, axis: int) -> torch.Tensor:
    """Central differences along ``axis``; zero where there is a single slice."""
    return torch.gradient(u, dim=axis + 1)[0] if u.shape[axis + 1] > 1 else torch.zeros_like(u)


def fold_report(field: DisplacementField, mask: torch.Tensor | None = None) -> FoldReport:
    """Count folds by nine stencils, so that a field free of them here is so for any reader of the grid.

    Args:
        mask: (I, J, K) bool; only these voxels count. All by default.
    """
    central = determinant(field)
    worst = central.clone()
    displacement = field.to_index()
    forward = [torch.diff(displacement, dim=axis + 1) for axis in range(3)]
    for signs in product((0, 1), repeat=3):
        worst = torch.minimum(worst, _det([_one_sided(forward[axis], axis, signs[axis]) for axis in range(3)]))
    if mask is not None:
        worst, central = worst[mask], central[mask]
    log_j = central.clamp(1e-3, 1e3).log()
    return FoldReport(
        int((worst <= 0).sum()),
        float(worst.min()) if worst.numel() else 1.0,
        float(log_j.std()) if log_j.numel() > 1 else 0.0,
        int(worst.numel()),
    )


def _one_sided(difference: torch.Tensor, axis: int, backward: int) -> torch.Tensor:
    """The differences u[n+1] - u[n], one shorter along ``axis``, read ahead (0) or behind (1) at every voxel.

    The border repeats its only neighbour.
    """
    length = difference.shape[axis + 1]
    if length == 0:
        shape = list(difference.shape)
        shape[axis + 1] = 1
        return difference.new_zeros(shape)
    edge = difference.narrow(axis + 1, 0 if backward else length - 1, 1)
    return torch.cat([edge, difference] if backward else [difference, edge], dim=axis + 1)


def _det(columns: list[torch.Tensor]) -> torch.Tensor:
    """det(1 + du/dx) from the three columns du/dx_axis, each (3, I, J, K)."""
    (a, d, g), (b, e, h), (c, f, i) = (column.unbind(0) for column in columns)
    a, e, i = a + 1, e + 1, i + 1
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)

"""The normal equations of feature matching: what every continuous stage descends on.

At each voxel the C-channel descriptors of fixed, F, and of the moving image read through the current mapping, M, leave
the residual r = F - M. Linearised in a small displacement d of the reading point, r(d) = r - g d with g the channels'
gradients, so that the sum of squares has the matrix H = sum_c g_c g_c^T and the right side b = sum_c g_c r_c. Gradients
are the mean of both images' (ESM, Benhimane & Malis 2004): second order for the price of first.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..sampling import sample

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Order of the six distinct entries of the symmetric 3 x 3 matrices."""


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Per voxel, weighted already.

    Attributes:
        matrix: (6, I, J, K) entries of H in the order of :data:`PAIRS`, per voxel squared.
        right: (3, I, J, K) b, per voxel.
        cost: weighted mean over the mask of |F - M|^2 (for unit descriptors 2 - 2 cos).
        covered: share of the mask's weight that the moving image covers.
    """

    matrix: torch.Tensor
    right: torch.Tensor
    cost: float
    covered: float


def normal_equations(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    reach: torch.Tensor,
    weight: torch.Tensor,
    index: torch.Tensor,
    *,
    robust: float | None = None,
    chunk: int = 4,
) -> NormalEquations:
    """Linearise the squared difference of descriptors around the current mapping.

    Args:
        fixed: (C, I, J, K) descriptors on the fixed lattice.
        moving: (C, I', J', K') descriptors on the moving lattice.
        reach: (I', J', K') 1 where the moving image holds data, 0 beyond its field of view.
        weight: (I, J, K) weight of each fixed voxel (its mask).
        index: (3, I, J, K) where each fixed voxel is read in the moving lattice, voxels.
        robust: residuals |r|^2 beyond this count less and less (Geman-McClure, w = 1 / (1 + |r|^2 / robust)^2).
        chunk: channels at a time, which bounds the memory.
    """
    inside = sample(reach[None], index)[0] * weight
    matrix = weight.new_zeros(6, *fixed.shape[1:])
    right = weight.new_zeros(3, *fixed.shape[1:])
    error = torch.zeros_like(weight)
    for start in range(0, fixed.shape[0], chunk):
        target = fixed[start : start + chunk].float()
        warped = sample(moving[start : start + chunk].float(), index, padding="border")
        residual = target - warped
        error += residual.square().sum(0)
        mean = (target + warped).mul_(0.5)
        slopes = [slope(mean, axis) for axis in range(3)]
        for n, (row, column) in enumerate(PAIRS):
            matrix[n] += (slopes[row] * slopes[column]).sum(0)
        for axis in range(3):
            right[axis] += (slopes[axis] * residual).sum(0)
    cost = float((error * inside).sum() / inside.sum().clamp(min=1e-6))
    covered = float(inside.sum() / weight.sum().clamp(min=1e-6))
    if robust is not None:
        inside = inside / (1 + error / robust).square()
    return NormalEquations(matrix.mul_(inside), right.mul_(inside), cost, covered)


def slope(volume: torch.Tensor, axis: int) -> torch.Tensor:
    """Central difference along a spatial axis of (C, I, J, K); zero at the two border voxels."""
    dim = axis + 1
    out = torch.zeros_like(volume)
    size = volume.shape[dim]
    if size > 2:
        out.narrow(dim, 1, size - 2).copy_(volume.narrow(dim, 2, size - 2) - volume.narrow(dim, 0, size - 2)).mul_(0.5)
    return out

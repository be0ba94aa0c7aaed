"""How far off a mapping is expected to be, by the descent's own curvature: the diagonal of (H + R + A)^-1.

At its end the descent holds the field by the data's curvature H, the stiffness R and the anchor A. If residuals are
noise of variance s2 in each channel and R is a prior in the same unit, what is left is distributed as
N(0, s2 (H + R + A)^-1) (Laplace's approximation). Its diagonal is drawn, for all places at once: a right-hand side with
the covariance H + R + A, made of white noise by the square roots of the parts, gives a solution with the inverse of it
(Papandreou & Yuille 2010, perturb and solve). It knows nothing of a match that is wrong altogether, and residuals lie
together, so that true errors are several times as long; it says where they are longer (measured:
Docs/measurements/solver.md).
"""

from __future__ import annotations

import torch

from ..geometry.lattice import as_shape
from ..geometry.sampling import gaussian_blur
from .normal import PAIRS, NormalEquations
from .solver import Stiffness, expanded, laplacian, on_control_points, solved

DRAWS = 12
"""Solutions that a covariance is estimated from; what they leave of noise, a fifth, is averaged over neighbours."""

AVERAGED = 1.0
"""Standard deviation, in control points, of the Gaussian that averages it: H + R changes no faster."""


def expected_covariance(
    equations: NormalEquations, weight: torch.Tensor, stiffness: Stiffness, channels: int, *, draws: int = DRAWS
) -> torch.Tensor:
    """(6, I, J, K) voxels squared, in the order of :data:`.normal.PAIRS`: covariance of the error of each place.

    Args:
        equations: at the mapping that is judged.
        weight: (I, J, K) the weight they were made with.
        stiffness: that the mapping was held with.
        channels: of the descriptors; their mean square residual is the noise.
    """
    control, (h, anchor, unit) = stiffness.control, on_control_points(equations, weight, stiffness)
    root, shape = lower_root(h), h.shape[1:]
    noise = torch.Generator().manual_seed(0)
    total = torch.zeros_like(h)
    for _ in range(draws):
        white = [torch.randn(3, *shape, generator=noise) for _ in range(3)]
        right = _times_lower(root, white[0])
        right += stiffness.bending**0.5 * laplacian(white[1]) + anchor.sqrt() * white[2]
        error = solved(h, right, torch.zeros_like(right), anchor, stiffness)
        for entry, (row, column) in zip(total, PAIRS, strict=True):
            entry.addcmul_(error[row], error[column])
    # A control point stands for control^3 voxels, each with its own residual.
    variance = equations.cost / channels / (control**3 * unit)
    return expanded(gaussian_blur(total.mul_(variance / draws), AVERAGED), control, as_shape(weight.shape))


def lower_root(matrix: torch.Tensor) -> torch.Tensor:
    """(6, ...) entries (11, 21, 31, 22, 32, 33) of L with L L^T = a symmetric 3 x 3 that may be singular."""
    a, b, c, d, e, f = matrix
    tiny = 1e-12
    first = a.clamp(min=tiny).sqrt()
    second, third = d / first, e / first
    middle = (b - second * second).clamp(min=tiny).sqrt()
    cross = (f - third * second) / middle
    return torch.stack([first, second, third, middle, cross, (c - third**2 - cross**2).clamp(min=0).sqrt()])


def _times_lower(root: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    x, y, z = vector
    return torch.stack([root[0] * x, root[1] * x + root[3] * y, root[2] * x + root[4] * y + root[5] * z])

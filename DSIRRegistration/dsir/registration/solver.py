"""One regularised Gauss-Newton step: (H + R + A) d = b - (R + A) u, by preconditioned conjugate gradients.

R is the bending energy of the whole displacement (zero for every affine mapping, so that rotations and scalings cost
nothing) and a little membrane energy; A anchors the field to zero where nothing is known, which makes it fade there.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F

from ..geometry.lattice import as_shape
from .checked import Count, NotNegative, Positive, checked
from .normal import NormalEquations, pooled

GRID = 2.0
"""mm of the working grid that :class:`Stiffness` is given for."""


@checked
class Stiffness:
    """How the field is held together, in units of the mean curvature of the data term, on the control lattice.

    Attributes:
        bending: weight of the squared Laplacian on a working grid of 2 mm (:meth:`on`).
        membrane: weight of the squared gradient on that grid.
        anchor: weight of the squared displacement where the fixed voxel has no counterpart.
        control: voxels of the matching lattice for each control point.
        iterations: of conjugate gradients on each grid.
    """

    bending: Positive = 5.0
    membrane: NotNegative = 0.0
    anchor: NotNegative = 1e-3
    control: Count = 2
    iterations: Count = 10

    def on(self, spacing: float) -> Stiffness:
        """What holds a field of the same anatomy as stiffly in mm on a working grid of ``spacing`` mm.

        The solver counts in voxels, and a wave's Laplacian grows with the square of theirs. Weights that ignored it
        held a trunk, whose grid is coarser for its size, 2.6 times as stiff as a head (Docs/measurements/solver.md).
        """
        finer = GRID / spacing
        return replace(self, bending=self.bending * finer**4, membrane=self.membrane * finer**2)


def step(equations: NormalEquations, u: torch.Tensor, weight: torch.Tensor, stiffness: Stiffness) -> torch.Tensor:
    """The displacement (3, I, J, K) in voxels that the linearised energy asks for.

    Args:
        u: (3, I, J, K) the current displacement, voxels.
        weight: (I, J, K) the weight the equations were made with (sets the unit of the stiffness).
    """
    equations = equations.on(stiffness.control)
    h, anchor, unit = on_control_points(equations, weight, stiffness)
    b, current = equations.right, pooled(u, stiffness.control)
    return expanded(solved(h, b / unit, current, anchor, stiffness), stiffness.control, as_shape(u.shape[1:]))


def on_control_points(
    equations: NormalEquations, weight: torch.Tensor, stiffness: Stiffness
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """H (6, I', J', K') in units of the mean curvature, the anchor A (1, I', J', K'), and that unit (scalar).

    Args:
        weight: (I, J, K) the weight the equations were made with.
    """
    h, known = equations.on(stiffness.control).matrix, pooled(weight[None], stiffness.control)
    unit = (h[:3].sum() / 3 / known.sum().clamp(min=1e-6)).clamp(min=1e-12)
    return h / unit, stiffness.anchor * (1 - known) + 1e-6, unit


COARSER = 4
"""Each grid of the solver is this much coarser than the one it starts."""

SMALLEST = 12
"""Control points along the longest axis below which no coarser grid is asked."""


def solved(
    h: torch.Tensor, b: torch.Tensor, current: torch.Tensor, anchor: torch.Tensor, stiffness: Stiffness
) -> torch.Tensor:
    """Conjugate gradients for (H + R + A) d = b - (R + A) u, begun from the same system on a coarser grid.

    Conjugate gradients alone see as far as they have iterations: long waves need the coarse start (measured: 25
    iterations on one grid left half of a uniform shift unsolved, and so were a hidden stiffness).
    """

    def regular(v: torch.Tensor) -> torch.Tensor:
        lap = laplacian(v)
        return stiffness.bending * laplacian(lap) - stiffness.membrane * lap + anchor * v

    start = torch.zeros_like(b)
    if max(b.shape[1:]) >= SMALLEST:
        # Displacements keep their unit and differences span more voxels: the energies' weights shrink accordingly.
        softer = replace(stiffness, bending=stiffness.bending / COARSER**4, membrane=stiffness.membrane / COARSER**2)
        h2, b2, current2, anchor2 = (pooled(v, COARSER) for v in (h, b, current, anchor))
        coarse = solved(h2, b2, current2, anchor2, softer)
        start = expanded(coarse, COARSER, as_shape(b.shape[1:]))
    # The diagonal of the squared Laplacian is 42 inside; half of it preconditions better than all of it (measured).
    inverse = inverted(h, 21 * stiffness.bending + 3 * stiffness.membrane + anchor[0])
    d = start
    residual = b - regular(current + start) - multiplied(h, start)
    direction = multiplied(inverse, residual)
    energy = (residual * direction).sum()
    for _ in range(stiffness.iterations):
        image = multiplied(h, direction) + regular(direction)
        length = energy / (direction * image).sum().clamp(min=1e-20)
        d = d + length * direction
        residual = residual - length * image
        conditioned = multiplied(inverse, residual)
        after = (residual * conditioned).sum()
        direction = conditioned + after / energy.clamp(min=1e-20) * direction
        energy = after
    return d


def expanded(values: torch.Tensor, control: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Blocks back to voxels, trilinear."""
    if control == 1:
        return values
    full = F.interpolate(values[None], scale_factor=control, mode="trilinear", align_corners=False)[0]
    return full[:, : shape[0], : shape[1], : shape[2]]


def laplacian(values: torch.Tensor) -> torch.Tensor:
    """Sum of second differences of (C, I, J, K), zero slope at the borders.

    Symmetric as it must be for conjugate gradients; an affine field costs nothing inside and a little at the border.
    """
    out = torch.zeros_like(values)
    for dim in (1, 2, 3):
        if values.shape[dim] > 1:
            difference = torch.diff(values, dim=dim)
            count = difference.shape[dim]
            out.narrow(dim, 0, count).add_(difference)
            out.narrow(dim, 1, count).sub_(difference)
    return out


def multiplied(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Symmetric (6, ...) times (3, ...), entries as in :data:`.normal.PAIRS`."""
    a, b, c, d, e, f = matrix
    x, y, z = vector
    return torch.stack([a * x + d * y + e * z, d * x + b * y + f * z, e * x + f * y + c * z])


def inverted(matrix: torch.Tensor, ridge: torch.Tensor) -> torch.Tensor:
    """The inverse of (6, ...) + ridge on the diagonal, same order."""
    a, b, c = matrix[0] + ridge, matrix[1] + ridge, matrix[2] + ridge
    d, e, f = matrix[3:]
    aa, bb, cc = b * c - f * f, a * c - e * e, a * b - d * d
    dd, ee, ff = e * f - d * c, d * f - e * b, d * e - a * f
    return torch.stack([aa, bb, cc, dd, ee, ff]) / (a * aa + d * dd + e * ee)

"""The discrete search: which of very many displacements fits, decided together with the neighbours.

Coupled convex optimisation after Siebert, Hansen & Heinrich (2022, ConvexAdam). On a coarse control grid the cost of
every displacement in a window is laid out; then two steps alternate: each control point takes the displacement of the
least cost plus a pull towards the smooth field, and the smooth field is the average of what was taken. The pull grows
until both agree. Done in both directions, then made consistent, so that neither image is preferred.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..field import DisplacementField
from ..sampling import index_grid, sample
from .frame import Described, widened
from .regularity import mended

COUPLING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Weights of the pull, per squared control voxel, in units of |F - M|^2 (Siebert et al.)."""


@dataclass(frozen=True)
class DiscreteSettings:
    """The discrete stage.

    Attributes:
        enabled: whether it runs.
        grid: mm between control points, and between the displacements tried.
        capture: mm; the largest displacement along each axis, beyond what the linear stage found.
        memory: MiB that the cost volume may take; a coarser grid is used where it would be more.
    """

    enabled: bool = True
    grid: float = 8.0
    capture: float = 40.0
    memory: int = 400


def discrete_search(fixed: Described, moving: Described, settings: DiscreteSettings) -> DisplacementField:
    """The displacement on the control grid, in fixed space, without folds.

    Args:
        fixed, moving: described in one frame (the moving image pulled through the linear transform).
    """
    spacing = affordable_grid(fixed, settings)
    radius = max(1, round(settings.capture / spacing))
    grid = fixed.lattice.with_spacing(spacing)
    wide = widened(grid, radius * spacing)
    there, here = moving.onto(wide), fixed.onto(wide)
    offsets = window(radius)
    forward = coupled_convex(cost_volume(here, there, radius), offsets, tuple(grid.shape))
    backward = coupled_convex(cost_volume(there, here, radius), offsets, tuple(grid.shape))
    return DisplacementField.from_index(mended(consistent(forward, backward))[0], grid)


def affordable_grid(fixed: Described, settings: DiscreteSettings) -> float:
    """mm between control points: what was asked for, or as coarse as the memory demands."""
    spacing = settings.grid
    volume = float(fixed.lattice.extent.prod())
    while 4 * volume / spacing**3 * (2 * round(settings.capture / spacing) + 1) ** 3 > settings.memory * 2**20:
        spacing *= 1.1
    return spacing


def window(radius: int) -> torch.Tensor:
    """(D, 3) whole-voxel displacements up to ``radius`` along each axis."""
    reach = torch.arange(-radius, radius + 1, dtype=torch.float32)
    return torch.stack(torch.meshgrid(reach, reach, reach, indexing="ij"), -1).reshape(-1, 3)


def cost_volume(here: Described, there: Described, radius: int) -> torch.Tensor:
    """(D, N) squared difference of descriptors for every displacement, weighted by the mask of ``here``.

    Both lie on one lattice that is ``radius`` voxels wider than the control grid on each side. Beyond the other image's
    field of view a displacement costs as much as a structure that does not resemble (1 + 1 - 0).
    """
    inner = tuple(slice(radius, n - radius) for n in here.mask.shape)
    target, weight = here.features[(slice(None), *inner)], here.mask[inner]
    target_norm, other_norm = target.square().sum(0), there.features.square().sum(0)
    shape = target.shape[1:]
    cost = torch.empty((2 * radius + 1) ** 3, *shape, device=target.device)
    for n, offset in enumerate(window(radius).int().tolist()):
        at = tuple(slice(radius + o, radius + o + size) for o, size in zip(offset, shape, strict=True))
        product = torch.zeros(shape, device=target.device)
        for a, b in zip(target, there.features, strict=True):
            product.addcmul_(a, b[at])
        inside = there.reach[at]
        cost[n] = (target_norm + other_norm[at] * inside + (1 - inside) - 2 * product * inside) * weight
    return cost.flatten(1)


def coupled_convex(cost: torch.Tensor, offsets: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """The smooth displacement (3, I, J, K) in control voxels.

    Args:
        cost: (D, N) with N = I J K.
        offsets: (D, 3).
    """
    offsets = offsets.to(cost.device)
    # The first choice is made on costs summed with the neighbours', else noise decides it.
    best = torch.full(shape, float("inf"), device=cost.device)
    u = torch.zeros(3, *shape, device=cost.device)
    for n, offset in enumerate(offsets):
        local = averaged(cost[n].view(1, *shape))[0]
        better = local < best
        best = torch.where(better, local, best)
        u = torch.where(better, offset.view(3, 1, 1, 1), u)
    u = averaged(averaged(u))
    lengths = offsets.square().sum(1, keepdim=True)
    for coupling in COUPLING:
        flat = u.flatten(1)
        choice = torch.cat(
            [
                torch.addmm(cost[:, block] + coupling * lengths, offsets, flat[:, block], alpha=-2 * coupling).argmin(0)
                for block in _blocks(flat.shape[1])
            ]
        )
        u = averaged(averaged(offsets[choice].T.reshape(3, *shape)))
    return u


def consistent(forward: torch.Tensor, backward: torch.Tensor, iterations: int = 15) -> torch.Tensor:
    """The forward displacement after both were drawn to be each other's inverse (Siebert et al.), in voxels."""
    base = index_grid(forward.shape[1:], device=forward.device)
    for _ in range(iterations):
        onward = forward - sample(backward, base + forward, padding="border")
        backward = 0.5 * (backward - sample(forward, base + backward, padding="border"))
        forward = 0.5 * onward
    return forward


def averaged(values: torch.Tensor) -> torch.Tensor:
    """(C, I, J, K) box mean over 3 x 3 x 3; borders repeat."""
    return F.avg_pool3d(F.pad(values[None], [1] * 6, mode="replicate"), 3, stride=1)[0]


def _blocks(count: int, size: int = 4096) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]

"""The discrete search: which of very many displacements fits, decided together with the neighbours.

Coupled convex optimisation after Siebert, Hansen & Heinrich (2022, ConvexAdam). On a coarse control grid the cost of
every displacement in a window is laid out; then two steps alternate: each control point takes the displacement of the
least cost plus a pull towards the smooth field, and the smooth field is the average of what was taken. The pull grows
until both agree. Done in both directions, then made consistent, so that neither image is preferred.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F

from ..geometry.lattice import as_shape
from ..geometry.sampling import index_grid, sample
from ..transforms.field import DisplacementField
from .checked import Count, Positive, Several, checked, same_length
from .regularity import composed, remove_folds
from .working_grid import FeatureMap, widened

COUPLING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Weights of the pull, per squared control voxel, in units of |F - M|^2 (Siebert et al.)."""


@checked
class DiscreteSettings:
    """The discrete stage; one value for each of its rounds, coarse to fine.

    Attributes:
        enabled: whether it runs.
        grids: mm between control points, and between the displacements tried.
        captures: mm; the largest displacement tried along each axis, beyond what came before.
        memory: MiB that a cost volume may take; a coarser grid is used where it would be more.
    """

    enabled: bool = True
    grids: Annotated[tuple[Positive, ...], Several] = (12.0, 6.0)
    captures: Annotated[tuple[Positive, ...], Several] = (48.0, 12.0)
    memory: Count = 400

    def __post_init__(self) -> None:
        same_length(self, "grids", "captures")


def discrete_search(
    fixed: FeatureMap, moving: FeatureMap, settings: DiscreteSettings, start: DisplacementField | None = None
) -> DisplacementField:
    """The displacement on the finest control grid, in fixed space, without folds.

    Args:
        fixed, moving: described in one frame (the moving image pulled through the linear transform).
        start: a field to search around; none by default.
    """
    found = start
    for wanted, capture in zip(settings.grids, settings.captures, strict=True):
        spacing = affordable_grid(fixed, wanted, capture, settings.memory)
        radius = max(1, round(capture / spacing))
        grid = fixed.lattice.with_spacing(spacing)
        wide = widened(grid, radius * spacing)
        here, there = fixed.onto(wide), moving.onto(wide, found)
        offsets, shape = window(radius), grid.shape
        forward = coupled_convex(cost_volume(here, there, radius), offsets, shape)
        backward = coupled_convex(cost_volume(there, here, radius), offsets, shape)
        u = consistent(forward, backward)
        if found is not None:
            u = composed(found.on(grid).to_index(), u)
        found = DisplacementField.from_index(remove_folds(u)[0], grid)
    return found or DisplacementField.identity(fixed.lattice)


def affordable_grid(fixed: FeatureMap, spacing: float, capture: float, memory: int) -> float:
    """mm between control points: what was asked for, or as coarse as the memory (MiB) demands."""
    volume = float(fixed.lattice.extent.prod())
    while 4 * volume / spacing**3 * (2 * round(capture / spacing) + 1) ** 3 > memory * 2**20:
        spacing *= 1.1
    return spacing


def window(radius: int) -> torch.Tensor:
    """(D, 3) whole-voxel displacements up to ``radius`` along each axis."""
    reach = torch.arange(-radius, radius + 1, dtype=torch.float32)
    return torch.stack(torch.meshgrid(reach, reach, reach, indexing="ij"), -1).reshape(-1, 3)


def cost_volume(here: FeatureMap, there: FeatureMap, radius: int) -> torch.Tensor:
    """(N, D) squared difference of descriptors for every displacement, weighted by the mask of ``here``.

    Both lie on one lattice that is ``radius`` voxels wider than the control grid on each side. Beyond the other image's
    field of view a displacement costs as much as a structure that does not resemble (1 + 1 - 0).

    The whole cost is one dot product, (-2 w f, w |f|^2, w) with (m, 1, |m|^2) within the field of view and (0, 1, 1)
    beyond it, and those of a line of voxels with all of a line's displacements are one small matrix product.
    """
    inner = tuple(slice(radius, n - radius) for n in here.mask.shape)
    target, weight = here.features[(slice(None), *inner)].float(), here.mask[inner]
    other = there.features.float() * there.reach
    one = torch.ones_like(there.reach)[None]
    seen = torch.cat([other, one, other.square().sum(0, keepdim=True) + 1 - there.reach])
    asked = torch.cat([-2 * target, target.square().sum(0, keepdim=True), one[(slice(None), *inner)]]) * weight
    (rows, lines, count), wide, width = weight.shape, there.mask.shape[2], 2 * radius + 1
    asked = asked.permute(1, 2, 3, 0).contiguous()  # (I, J, K, C): a line is a matrix
    seen = seen.permute(1, 2, 0, 3).contiguous()  # (I, J, C, K')
    cost = torch.empty(rows, lines, count, width, width, width, device=target.device)
    for row in range(rows):
        for a in range(width):
            for b in range(width):
                product = torch.bmm(asked[row], seen[row + a, b : b + lines])  # (J, K, K'): a band of it is wanted
                band = product.as_strided((lines, count, width), (count * wide, wide + 1, 1))
                cost[row, :, :, a, b] = band
    return cost.view(weight.numel(), width**3)


def coupled_convex(cost: torch.Tensor, offsets: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """The smooth displacement (3, I, J, K) in control voxels.

    Args:
        cost: (N, D) with N = I J K.
        offsets: (D, 3).
    """
    offsets = offsets.to(cost.device)
    # The first choice is made on costs summed with the neighbours', else noise decides it.
    choice = neighbourly(cost, shape)
    u = averaged(averaged(offsets[choice].T.reshape(3, *shape)))
    lengths = offsets.square().sum(1, keepdim=True)
    for coupling in COUPLING:
        # |o - u|^2 less its part without o, as one product with (u, 1).
        pull = coupling * torch.cat([-2 * offsets, lengths], 1).T
        place = torch.cat([u.flatten(1), torch.ones_like(u[:1]).flatten(1)]).T
        choice = torch.cat(
            [torch.addmm(cost[block], place[block], pull).argmin(1) for block in _blocks(len(cost), BLOCK)]
        )
        u = averaged(averaged(offsets[choice].T.reshape(3, *shape)))
    return u


BLOCK = 256
"""Control points decided at a time: their costs stay in the processor's cache."""


def neighbourly(cost: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """(N,) the best displacement of each control point by costs summed over 3 x 3 x 3; borders repeat."""
    volume = cost.view(*shape, -1)
    sums = [_in_plane(volume[0])]
    choice = []
    for row in range(shape[0]):
        if row + 1 < shape[0]:
            sums.append(_in_plane(volume[row + 1]))
        near = (sums[0] + sums[-1]).add_(sums[1] if 0 < row < shape[0] - 1 else sums[-1 if row else 0])
        choice.append(near.argmin(-1).flatten())
        if row:
            del sums[0]
    return torch.cat(choice)


def _in_plane(plane: torch.Tensor) -> torch.Tensor:
    """Costs (J, K, D) summed over 3 x 3; borders repeat."""
    for axis in (0, 1):
        size = plane.shape[axis]
        total = plane * 2 if size == 1 else plane.clone()
        if size == 1:
            plane = total.add_(plane)
            continue
        total.narrow(axis, 1, size - 1).add_(plane.narrow(axis, 0, size - 1))
        total.narrow(axis, 0, size - 1).add_(plane.narrow(axis, 1, size - 1))
        for end in (0, size - 1):
            total.narrow(axis, end, 1).add_(plane.narrow(axis, end, 1))
        plane = total
    return plane


def consistent(forward: torch.Tensor, backward: torch.Tensor, iterations: int = 15) -> torch.Tensor:
    """The forward displacement after both were drawn to be each other's inverse (Siebert et al.), in voxels."""
    base = index_grid(as_shape(forward.shape[1:]), device=forward.device)
    for _ in range(iterations):
        onward = forward - sample(backward, base + forward, padding="border")
        backward = 0.5 * (backward - sample(forward, base + backward, padding="border"))
        forward = 0.5 * onward
    return forward


def averaged(values: torch.Tensor) -> torch.Tensor:
    """(C, I, J, K) box mean over 3 x 3 x 3; borders repeat."""
    return F.avg_pool3d(F.pad(values[None], [1] * 6, mode="replicate"), 3, stride=1)[0]


def _blocks(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]

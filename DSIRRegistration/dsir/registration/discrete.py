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
from ..geometry.occupied import occupied
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
        offsets = window(radius)
        forward, backward = (
            coupled_convex(cost_volume(one, other, radius), offsets, weighs(one, radius))
            for one, other in ((here, there), (there, here))
        )
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


def weighs(here: FeatureMap, radius: int) -> torch.Tensor:
    """(I, J, K) bool: control points with something of the body; the lattice is ``radius`` wider on each side."""
    rows, columns, planes = (slice(radius, n - radius) for n in here.mask.shape)
    return here.mask[rows, columns, planes] > 0


def cost_volume(here: FeatureMap, there: FeatureMap, radius: int) -> torch.Tensor:
    """(M, D) squared difference of descriptors for every displacement, weighted by the mask of ``here``, at the points
    that weigh something (:func:`weighs`).

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
    count, wide, width = weight.shape[2], there.mask.shape[2], 2 * radius + 1
    asked = asked.permute(1, 2, 3, 0).contiguous()  # (I, J, K, C): a line is a matrix
    seen = seen.permute(1, 2, 0, 3).contiguous()  # (I, J, C, K')
    held = weight > 0
    cost, done = torch.empty(int(held.sum()), width**3, device=target.device), 0
    for row, kept in enumerate(held):
        if (body := occupied(kept[None])) is None:
            continue
        lines = body[1]
        band = lines.stop - lines.start, count, width
        plane = torch.empty(*band, width, width, device=target.device)
        for a in range(width):
            for b in range(width):
                product = torch.bmm(asked[row, lines], seen[row + a, lines.start + b : lines.stop + b])
                # (J, K, K'): a band of it is wanted
                plane[:, :, a, b] = product.as_strided(band, (count * wide, wide + 1, 1))
        points = torch.nonzero(kept[lines].flatten()).flatten()
        torch.index_select(plane.view(-1, width**3), 0, points, out=cost[done : done + len(points)])
        done += len(points)
    return cost


def coupled_convex(cost: torch.Tensor, offsets: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """The smooth displacement (3, I, J, K) in control voxels.

    Args:
        cost: (M, D) of the points that are ``held``, in their order.
        offsets: (D, 3).
        held: (I, J, K) bool. The other points cost nothing and follow their neighbours.
    """
    offsets, shape = offsets.to(cost.device), as_shape(held.shape)
    # The first choice is made on costs summed with the neighbours', else noise decides it.
    choice = neighbourly(cost, held)
    u = averaged(averaged(offsets[choice].T.reshape(3, *shape)))
    lengths, radius = offsets.square().sum(1, keepdim=True), offsets.max()
    for coupling in COUPLING:
        # |o - u|^2 less its part without o, as one product with (u, 1).
        pull = coupling * torch.cat([-2 * offsets, lengths], 1).T
        place = torch.cat([u[:, held], u.new_ones(1, len(cost))]).T
        taken = torch.empty_like(cost[:, :1], dtype=torch.long)
        for block in _blocks(len(cost), BLOCK):
            taken[block] = torch.addmm(cost[block], place[block], pull).argmin(1, keepdim=True)
        nearest = u.round().clamp(-radius, radius)
        nearest[:, held] = offsets[taken[:, 0]].T
        u = averaged(averaged(nearest))
    return u


BLOCK = 256
"""Control points decided at a time: their costs stay in the processor's cache."""


def neighbourly(cost: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """(N,) the best displacement of each control point by costs summed over 3 x 3 x 3; borders repeat.

    Args:
        cost: (M, D) of the points that are ``held`` (I, J, K); the others have none.
    """
    counts = [0, *held.flatten(1).sum(1).cumsum(0).tolist()]

    def summed(row: int) -> torch.Tensor:
        plane, points = cost.new_zeros(held[row].numel(), cost.shape[1]), torch.nonzero(held[row].flatten()).flatten()
        plane.index_copy_(0, points, cost[counts[row] : counts[row + 1]])
        return _in_plane(plane.view(*held.shape[1:], -1))

    sums = [summed(0)]
    choice = []
    for row in range(len(held)):
        if row + 1 < len(held):
            sums.append(summed(row + 1))
        near = (sums[0] + sums[-1]).add_(sums[1] if 0 < row < len(held) - 1 else sums[-1 if row else 0])
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

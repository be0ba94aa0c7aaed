"""The normal equations of feature matching: what every continuous stage descends on.

At each voxel the C-channel descriptors of fixed, F, and of the moving image read through the current mapping, M, leave
the residual r = F - M. Linearised in a small displacement d of the reading point, r(d) = r - g d with g the channels'
gradients, so that the sum of squares has the matrix H = sum_c g_c g_c^T and the right side b = sum_c g_c r_c. Gradients
are the mean of both images' (ESM, Benhimane & Malis 2004): second order for the price of first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..geometry.occupied import Box, around, occupied, within
from ..geometry.sampling import sample

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Order of the six distinct entries of the symmetric 3 x 3 matrices."""

SLAB = 100_000
"""Voxels worked on at a time: what a dozen channels of them take stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Per voxel, weighted already, or averaged over the blocks of voxels that each control point stands for.

    Attributes:
        matrix: (6, I, J, K) entries of H in the order of :data:`PAIRS`, per voxel squared.
        right: (3, I, J, K) b, per voxel.
        cost: weighted mean over the mask of |F - M|^2 (for unit descriptors 2 - 2 cos).
        covered: share of the mask's weight that the moving image covers.
        control: voxels of a block along each axis.
    """

    matrix: torch.Tensor
    right: torch.Tensor
    cost: float
    covered: float
    control: int = 1

    def on(self, control: int) -> NormalEquations:
        """Averaged over blocks of so many voxels, as many as they are averaged over already or one by one."""
        if control == self.control:
            return self
        return replace(self, matrix=pooled(self.matrix, control), right=pooled(self.right, control), control=control)


def normal_equations(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    reach: torch.Tensor,
    weight: torch.Tensor,
    index: torch.Tensor,
    *,
    robust: float | None = None,
    weights: torch.Tensor | None = None,
    control: int = 1,
    slab: int = SLAB,
) -> NormalEquations:
    """Linearise the squared difference of descriptors around the current mapping, slab by slab.

    Args:
        fixed: (C, I, J, K) descriptors on the fixed lattice.
        moving: (C, I', J', K') descriptors on the moving lattice; best with channels side by side
            (:mod:`dsir.geometry.channels_last`).
        reach: (I', J', K') 1 where the moving image holds data, 0 beyond its field of view.
        weight: (I, J, K) weight of each fixed voxel (its mask).
        index: (3, I, J, K) where each fixed voxel is read in the moving lattice, voxels.
        robust: residuals |r|^2 beyond this count less and less (Geman-McClure, w = 1 / (1 + |r|^2 / robust)^2).
        weights: (C', C) by which both sides' channels are multiplied (:mod:`.residual_weighing`).
        control: voxels along each axis of the blocks that the equations are averaged over, as soon as they are made.
        slab: voxels worked on at a time.
    """
    inside = torch.zeros_like(weight)
    if (body := occupied(weight)) is not None:
        inside[body] = sample(reach[None], index[(slice(None), *body)])[0].mul_(weight[body])
    shape = [-(-n // control) for n in weight.shape]
    matrix, right = weight.new_zeros(6, *shape), weight.new_zeros(3, *shape)
    cost, total = 0.0, float(inside.sum().clamp(min=1e-6))
    for at in _slabs(inside, slab, control):
        # Slopes look one plane further; across, all is done with a rim of one voxel, so that memory is walked in line.
        wide = around(at, weight.shape)
        core, *across = within(at, wide)
        target = weighed(fixed[(slice(None), *wide)], weights)
        warped = weighed(sample(moving, index[(slice(None), *wide)], padding="border"), weights)
        sums = target.new_zeros(10, *target[0, core].shape)
        slopes = [torch.zeros_like(target[0, core]) for _ in range(3)]
        for f, m in zip(target, warped, strict=True):
            residual = f[core] - m[core]
            sums[9].addcmul_(residual, residual)
            both = m.add_(f)
            for axis, slope in enumerate(slopes):
                _rise(both, axis, core, out=slope)
                sums[6 + axis].addcmul_(slope, residual)
            for n, (row, column) in enumerate(PAIRS):
                sums[n].addcmul_(slopes[row], slopes[column])
        sums = sums[(slice(None), slice(None), *across)]
        error, seen = sums[9], inside[at]
        cost += float(torch.dot(error.flatten(), seen.flatten()))
        if robust is not None:
            seen = seen / error.div(robust).add_(1).square_()
        # A slope is half a difference, the mean half a sum: a quarter in each factor.
        blocks = (slice(None), *(slice(ends.start // control, -(-ends.stop // control)) for ends in at))
        matrix[blocks] = pooled(sums[:6].mul_(seen / 16), control)
        right[blocks] = pooled(sums[6:9].mul_(seen / 4), control)
    return NormalEquations(matrix, right, cost / total, total / float(weight.sum().clamp(min=1e-6)), control)


def pooled(values: torch.Tensor, control: int) -> torch.Tensor:
    """(C, I, J, K) averaged over blocks of ``control`` voxels; the last block repeats the border."""
    if control == 1:
        return values
    pads = [(-n) % control for n in values.shape[1:]]
    if any(pads):
        values = F.pad(values[None], (0, pads[2], 0, pads[1], 0, pads[0]), mode="replicate")[0]
    return F.avg_pool3d(values[None], control)[0]


def _slabs(weight: torch.Tensor, voxels: int, control: int) -> Iterator[Box]:
    """Boxes of about so many voxels, a few planes each, that hold all that weighs: a body fills half of its box.

    They hold whole blocks of ``control`` voxels, but where the volume ends.
    """
    if (whole := occupied(weight)) is None:
        return
    planes = max(1, voxels // weight[(0, *whole[1:])].numel() // control) * control
    for start in range(whole[0].start // control * control, whole[0].stop, planes):
        stop = min(start + planes, len(weight))
        if (box := occupied(weight[start:stop])) is not None:
            rows, columns = (
                slice(ends.start // control * control, min(-(-ends.stop // control) * control, size))
                for ends, size in zip(box[1:], weight.shape[1:], strict=True)
            )
            yield slice(start, stop), rows, columns


def weighed(channels: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Channels (C, I, J, K) as float32, apart in memory, multiplied by ``weights`` (C', C) where there are any."""
    if weights is None:
        return torch.empty(channels.shape).copy_(channels)
    return (weights @ channels.flatten(1).float()).view(len(weights), *channels.shape[1:])


def _rise(volume: torch.Tensor, axis: int, core: slice, *, out: torch.Tensor) -> None:
    """v(n + 1) - v(n - 1) of the planes ``core`` of a slab.

    At the volume's border ``out`` stays as it is, zero; where a slab ends inside, it carries the plane beyond.
    """
    size = volume.shape[axis]
    if axis:
        if size > 2:
            part = volume[core]
            torch.sub(part.narrow(axis, 2, size - 2), part.narrow(axis, 0, size - 2), out=out.narrow(axis, 1, size - 2))
        return
    first, last = max(core.start, 1), min(core.stop, size - 1)
    if last > first:
        inner = out[first - core.start : last - core.start]
        torch.sub(volume[first + 1 : last + 1], volume[first - 1 : last - 1], out=inner)

"""Vectors that are made for every second voxel: all others lie between them.

A thinned network (``base`` 2) knows a vector for every second voxel along each axis, voxel 2 v of the volume at v. To
hold those is an eighth of the memory; what a box of voxels or a block's mean needs is interpolated where it is asked
for. Vectors of every voxel are read by the same two functions.
"""

from __future__ import annotations

import torch

from ..geometry.occupied import Box
from .layers import double


def thinned_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many vectors (I', J', K') a volume of so many voxels needs: the last voxel lies between two or on one."""
    return tuple(n // 2 + 1 for n in shape)


def thinned_box(box: Box) -> Box:
    """Which of the known vectors a box of voxels lies on or between; it begins at an even voxel, or one is to spare."""
    rows, columns, planes = (slice(ends.start // 2, ends.stop // 2 + 1) for ends in box)
    return rows, columns, planes


def at_voxels(vectors: torch.Tensor, box: Box, shape: tuple[int, ...]) -> torch.Tensor:
    """The vectors (C, ...) of a box of a volume's voxels, of every voxel or of every second one.

    Args:
        vectors: (C, I, J, K), or (C, I', J', K') of :func:`thinned_shape`.
        shape: (I, J, K) of the volume.
    """
    if vectors.shape[1:] == torch.Size(shape):
        return vectors[(slice(None), *box)]
    wanted = tuple(slice(ends.start % 2, ends.start % 2 + ends.stop - ends.start) for ends in box)
    return double(vectors[(slice(None), *thinned_box(box))].float()[None])[0][(slice(None), *wanted)]


def block_means_between(vectors: torch.Tensor, block: int, shape: tuple[int, ...]) -> torch.Tensor:
    """(C, ...) float32: means over blocks of ``block`` voxels of a volume (I, J, K); beyond its end lie zeros.

    Interpolation and mean are one matrix for each axis, so that no vector is made for each voxel.
    """
    out = vectors.float()
    for axis, size in enumerate(shape, 1):
        matrix = _means_along(out.shape[axis], block, size)
        out = torch.tensordot(matrix, out, ([1], [axis])).movedim(0, axis)
    return out


def _means_along(known: int, block: int, size: int) -> torch.Tensor:
    """(blocks, known): what each known vector along an axis of ``size`` voxels counts in each block's mean."""
    voxel = torch.arange(size)
    at = voxel.float() if known == size else voxel / 2
    low = at.floor().long().clamp(max=max(known - 2, 0))
    part = at - low
    matrix = torch.zeros(-(-size // block), known)
    matrix.index_put_((voxel // block, low), (1 - part) / block, accumulate=True)
    matrix.index_put_((voxel // block, (low + 1).clamp(max=known - 1)), part / block, accumulate=True)
    return matrix

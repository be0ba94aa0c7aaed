"""The part of a volume where there is something: what is worth doing for a body is not done for the air around it."""

from __future__ import annotations

import numpy as np
import torch

from .lattice import as_shape

Box = tuple[slice, slice, slice]


def occupied(weight: torch.Tensor) -> Box | None:
    """The smallest box of (I, J, K) that holds all that is not zero; None where nothing is."""
    seen = weight != 0
    rows, face = seen.flatten(1).any(1), seen.view(torch.uint8).amax(0) > 0
    held = [torch.nonzero(line).flatten() for line in (rows, face.any(1), face.any(0))]
    if not len(held[0]):
        return None
    box = [slice(int(line[0]), int(line[-1]) + 1) for line in held]
    return box[0], box[1], box[2]


def extent(weight: torch.Tensor) -> tuple[np.ndarray, np.ndarray] | None:
    """First and last voxel (3,) of :func:`occupied` along each axis."""
    box = occupied(weight)
    return None if box is None else (np.array([s.start for s in box]), np.array([s.stop - 1 for s in box]))


def around(box: Box, shape: torch.Size | tuple[int, ...], voxels: int = 1) -> Box:
    """A box so many voxels wider on each side, within ``shape``."""
    rows, columns, planes = (
        slice(max(s.start - voxels, 0), min(s.stop + voxels, n)) for s, n in zip(box, shape, strict=True)
    )
    return rows, columns, planes


def within(box: Box, other: Box) -> Box:
    """Where ``box`` lies in an array that begins and ends as ``other`` does."""
    rows, columns, planes = (slice(s.start - o.start, s.stop - o.start) for s, o in zip(box, other, strict=True))
    return rows, columns, planes


def occupied_box(
    mask: torch.Tensor, margin: np.ndarray, shape: tuple[int, int, int]
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """First voxel and shape of the smallest box around a mask, ``margin`` voxels (3,) wider, within ``shape``."""
    first, last = extent(mask) or (np.zeros(3), np.array(shape) - 1)
    start = np.maximum(np.floor(first - margin).astype(int), 0)
    stop = np.minimum(np.ceil(last + margin).astype(int) + 1, shape)
    return start, as_shape(stop - start)

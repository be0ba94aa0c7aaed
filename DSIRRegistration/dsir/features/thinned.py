"""Find vectors of a volume of which the network sees every second voxel.

What the search and the place head ask of the find vectors, what a voxel is, changes slowly: described at 4 mm they take
a quarter of the time that they take at 2 mm, and the registration errs hardly more (Docs/measurements/solver.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..geometry.occupied import Box
from .layers import double, thinned
from .masrnet import MasrNet
from .unit import unit

PLANES = 8
"""Planes of the thinned volume that are interpolated at a time: all at once would be twice the memory."""


def describe_thinned(network: MasrNet, volume: torch.Tensor, inner: Box | None = None) -> torch.Tensor:
    """Unit vectors (N, C, ...) at every voxel of (N, 1, I, J, K), or of its part ``inner``, which begins at even ones.

    The vectors of every second voxel lie on those voxels; between them they are interpolated linearly.
    """
    box = inner or tuple(slice(0, size) for size in volume.shape[2:])
    first, second, third = (slice(ends.start // 2, -(-ends.stop // 2)) for ends in box)
    vectors = network(thinned(F.pad(volume, [1] * 6, mode="replicate")), (first, second, third))
    planes, rows, columns = (ends.stop - ends.start for ends in box)
    out = torch.empty(*vectors.shape[:2], planes, rows, columns, dtype=vectors.dtype, device=vectors.device)
    for start in range(0, vectors.shape[2], PLANES):
        slab = double(vectors[:, :, start : start + PLANES + 1])[:, :, : 2 * PLANES]
        part = out[:, :, 2 * start : 2 * (start + PLANES)]
        part.copy_(unit(slab[:, :, : part.shape[2], :rows, :columns], 1, 1e-6))
    return out

"""The body in blocks like a chessboard: what one colour says is judged by the other, and blocks tell the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from ..geometry.lattice import Lattice

EDGE = 24.0
"""mm of a block. Descriptors see about 6 mm, and what disagrees (contrast, motion) varies over a few centimetres."""

RIM = 8.0
"""mm of the body's rim that are not judged, as long as enough of it is left: scans of two contrasts end at different
places (skull-stripped T1 and T2 differ by the dark or bright rim of the fluid)."""

ENOUGH = 0.3
"""Share of the body that must be left."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Where a body is judged, and in which parts.

    Attributes:
        number: (I, J, K) which block a voxel lies in.
        white: (I, J, K) bool, the block's colour.
        judged: (I, J, K) float, weight of each voxel where it is judged.
        weight: (B,) the sum of that in each block.
    """

    number: torch.Tensor
    white: torch.Tensor
    judged: torch.Tensor
    weight: torch.Tensor

    @staticmethod
    def of(mask: torch.Tensor, lattice: Lattice) -> Blocks:
        """``mask``: (I, J, K) 0..1; where it is cut by the edge of the volume, nothing is taken off its rim."""
        spacing = float(lattice.spacing[0])
        edge = max(2, round(EDGE / spacing))
        rows, columns, planes = torch.meshgrid(*(torch.arange(n) // edge for n in mask.shape), indexing="ij")
        width, depth = int(columns.max()) + 1, int(planes.max()) + 1
        number = (rows * width + columns) * depth + planes
        judged = mask * inside(mask > 0.5, RIM / spacing)
        weight = torch.zeros(int(number.max()) + 1).index_add_(0, number.flatten(), judged.flatten())
        return Blocks(number, (rows + columns + planes) % 2 == 0, judged, weight)

    def sums(self, values: torch.Tensor) -> torch.Tensor:
        """(B,) sum of values (I, J, K) over each block, as far as they are judged."""
        return torch.zeros_like(self.weight).index_add_(0, self.number.flatten(), (values * self.judged).flatten())

    def mean(self, sums: torch.Tensor) -> tuple[float, float]:
        """Mean over all that is judged, and its standard error from the differences between blocks."""
        total, seen = float(self.weight.sum().clamp(min=1e-6)), self.weight > 0
        mean, count = float(sums.sum()) / total, int(seen.sum())
        if count < 3:
            return mean, float("inf")
        apart = (sums - mean * self.weight)[seen]
        return mean, float(apart.square().sum().sqrt()) / total * (count / (count - 1)) ** 0.5


def inside(mask: torch.Tensor, rim: float) -> torch.Tensor:
    """(I, J, K) bool: the mask without a rim of so many voxels; half of it or none where too little would be left."""
    distance = ndimage.distance_transform_edt(np.pad(mask.numpy(), 1, mode="edge"))[1:-1, 1:-1, 1:-1]
    for share in (1.0, 0.5):
        left = torch.from_numpy(distance > share * rim)
        if left.sum() >= ENOUGH * mask.sum():
            return left
    return mask

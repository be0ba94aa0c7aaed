"""The judged body in parts of equal size, each judged for itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.lattice import Lattice
from .body_places import Places
from .evidence import Judge

EDGE = 60.0
"""mm of a part, about; a body is at least one and at most four parts long."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The body in parts of equal size; the outermost reach to the border of the scan.

    Attributes:
        number: (I, J, K) which part a voxel lies in.
        centres: (R, 3) of the parts, RAS mm.
        low, high: (R, 3) the voxel indices between which each of them lies.
        lattice: that of the judge.
    """

    number: torch.Tensor
    centres: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lattice: Lattice

    @staticmethod
    def of(judge: Judge) -> Parts:
        """Of what is judged, along the axes of its lattice."""
        at = torch.nonzero(judge.blocks.judged).float()
        low, high = (torch.quantile(at[:: max(1, len(at) // 10_000)], share, dim=0) for share in (0.02, 0.98))
        counts = ((high - low) * float(judge.lattice.spacing[0]) / EDGE).round().clamp(1, 4).long()
        axes = [
            ((torch.arange(n) - first) / (last - first + 1e-3) * count).long().clamp(0, int(count) - 1)
            for n, first, last, count in zip(judge.lattice.shape, low, high, counts, strict=True)
        ]
        rows, columns, planes = torch.meshgrid(*axes, indexing="ij")
        index = torch.cartesian_prod(*(torch.arange(int(count)) for count in counts))
        first, last, shares = low.numpy(), high.numpy(), (index / counts).numpy()
        step = (last - first) / counts.numpy()
        begin, end = first + shares * (last - first) - 0.5, first + shares * (last - first) + step - 0.5
        outer = (index == 0).numpy(), (index == counts - 1).numpy()
        return Parts(
            (rows * counts[1] + columns) * counts[2] + planes,
            judge.lattice.to_world((begin + end + 1) / 2),
            np.where(outer[0], -0.5, begin),
            np.where(outer[1], np.array(judge.lattice.shape) - 0.5, end),
            judge.lattice,
        )

    def sums(self, values: torch.Tensor) -> np.ndarray:
        """(R,) sum of values (I, J, K) over each part."""
        sums = torch.zeros(len(self.centres)).index_add_(0, self.number.flatten(), values.flatten().float())
        return sums.numpy()

    def places(self, where: np.ndarray, words: str) -> Places:
        """Those parts for which ``where`` (R,) is true, and what is said of a structure that lies in one."""
        return Places.between(words, self.lattice, self.low[where], self.high[where])

"""A volume and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .lattice import Lattice
from .sampling import resample


@dataclass(frozen=True, eq=False)
class Image:
    """A scalar volume in RAS space.

    Attributes:
        data: (I, J, K) float32 tensor, finite.
        lattice: where its voxels lie.
        remarks: what a reader must know of how it was read, one sentence each.
    """

    data: torch.Tensor
    lattice: Lattice
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != self.lattice.shape:
            raise ValueError(f"data {tuple(self.data.shape)} does not fit the lattice {self.lattice.shape}")

    def on(self, target: Lattice, *, mode: str = "bilinear", padding: str = "border") -> Image:
        """The image resampled onto ``target`` (smoothed first where that is coarser)."""
        if self.lattice.matches(target):
            return Image(self.data, target)
        return Image(resample(self.data, self.lattice, target, mode=mode, padding=padding), target)

"""A network asked several times: of the volume and of its mirror images."""

from __future__ import annotations

import torch

from .dsir import Dsir


class Mirrored:
    """A descriptor's vectors of the volume and of its mirrored copies, one after the other, scaled to length 1.

    The network makes other mistakes in a mirror, and their cosines average out. Measured (points found within 4 mm, and
    work): brain T1-T2 0.59 alone, 0.62 with the left-right mirror, 0.65 with the two others, 0.65 with all three; head
    T1-T2 0.58, 0.63, 0.71, 0.69. So the default is front-back and up-down, for three times the work and channels.
    """

    def __init__(self, inner: Dsir, axes: tuple[int, ...] = (1, 2)) -> None:
        self.inner, self.axes = inner, axes
        self.name = f"{inner.name}-mirrored"
        self.channels = inner.channels * (1 + len(axes))
        self.spacing = inner.spacing
        # A mirrored volume is padded at its other end; one more stride keeps pieces equal to the whole.
        self.margin = inner.margin + inner.stride
        self.identity = {**inner.identity, "descriptor": self.name, "mirrored": list(axes)}

    def normalise(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """As the network's own."""
        return self.inner.normalise(volume, mask)

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        """(I, J, K) normalised intensities to (C, I, J, K) float32 unit vectors."""
        count = self.inner.channels
        out = torch.empty(self.channels, *normalised.shape)
        out[:count] = self.inner.describe(normalised)
        for number, axis in enumerate(self.axes, 1):
            mirrored = self.inner.describe(normalised.flip(axis).contiguous())
            out[count * number : count * (number + 1)] = mirrored.flip(axis + 1)
        return out.mul_((1 + len(self.axes)) ** -0.5)

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw intensities on an isotropic lattice to (C, I, J, K)."""
        return self.describe(self.normalise(volume, mask))

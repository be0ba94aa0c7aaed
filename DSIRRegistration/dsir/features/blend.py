"""Two descriptors side by side: one that knows the place, one that shows the detail."""

from __future__ import annotations

import torch

from .descriptor import Descriptor


class Blend:
    """Weighted concatenation of two descriptors, a :class:`dsir.features.descriptor.Descriptor` itself.

    The cosine of two blended vectors is the weighted mean of the parts' cosines. DSIR finds the right structure from
    far and across modalities; MIND-SSC places edges within a fraction of a voxel (Docs/measurements/solver.md).
    """

    def __init__(self, first: Descriptor, second: Descriptor, share: float) -> None:
        """``share``: weight of ``second``, 0..1."""
        self.first, self.second, self.share = first, second, share
        self.name = first.name
        self.channels = first.channels + second.channels
        self.spacing = first.spacing
        self.margin = max(first.margin, second.margin)
        self.identity = {**first.identity, "detail": {"share": share, **second.identity}}

    def normalise(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Intensities (I, J, K) to one scale, the first descriptor's."""
        return self.first.normalise(volume, mask)

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        """(I, J, K) normalised intensities to (C1 + C2, I, J, K) float32 unit vectors."""
        out = torch.empty(self.channels, *normalised.shape)
        split = self.first.channels
        torch.mul(self.first.describe(normalised), (1 - self.share) ** 0.5, out=out[:split])
        torch.mul(self.second.describe(normalised), self.share**0.5, out=out[split:])
        return out

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw intensities on an isotropic lattice to (C1 + C2, I, J, K)."""
        return self.describe(self.normalise(volume, mask))

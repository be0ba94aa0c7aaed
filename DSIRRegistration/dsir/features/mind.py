"""MIND-SSC: the modality-independent neighbourhood descriptor with self-similarity context (Heinrich et al., 2013)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from .dns import DnsSettings, dns_valid
from .normalise import normalise

SLAB = 60_000
"""Voxels described at a time."""


@dataclass(frozen=True)
class MindSettings:
    """Settings of MIND-SSC.

    Attributes:
        dns: neighbourhood and patch; one layout gives the twelve channels of MIND-SSC.
        centred: take each voxel's mean over the channels away before the L2 norm. Else all descriptors share a large
            common part, every cosine is near 1 and flat regions match everything.
    """

    dns: DnsSettings = field(default_factory=lambda: DnsSettings(radii=(1,), patch=1, subtract_minimum=True))
    centred: bool = True


class Mind:
    """MIND-SSC as a :class:`dsir.features.descriptor.Descriptor`; voxels without any structure get the zero vector."""

    name = "mind"
    spacing: float | None = None

    def __init__(self, settings: MindSettings | None = None) -> None:
        self.settings = settings or MindSettings()
        self.channels = self.settings.dns.relations
        self.margin = self.settings.dns.margin
        self.identity = {"descriptor": self.name}

    def normalise(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Intensities (I, J, K) to one scale; of the whole volume, before it is cut into tiles."""
        return normalise(volume, mask)

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        """(I, J, K) normalised intensities to (12, I, J, K) float32, L2-normalised.

        Made a few planes at a time, so that what is between stays in the processor's cache.
        """
        settings = self.settings.dns
        out = torch.empty(self.channels, *normalised.shape)
        with torch.no_grad():
            padded = F.pad(normalised[None, None].float(), [settings.margin] * 6, mode="replicate")
            planes = max(1, SLAB // normalised[0].numel())
            for start in range(0, normalised.shape[0], planes):
                slab = padded[:, :, start : start + planes + 2 * settings.margin]
                values = dns_valid(slab, settings)[0, 0]
                if self.settings.centred:
                    values -= values.mean(0, keepdim=True)
                squares = torch.zeros_like(values[0])
                for channel in values:
                    squares.addcmul_(channel, channel)
                torch.mul(values, squares.clamp_(min=1e-6).rsqrt_(), out=out[:, start : start + planes])
        return out

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw intensities on an isotropic lattice to (12, I, J, K)."""
        return self.describe(self.normalise(volume, mask))

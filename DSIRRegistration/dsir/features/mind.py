"""MIND-SSC: the modality-independent neighbourhood descriptor with self-similarity context (Heinrich et al., 2013)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from .dns import DnsSettings, dns
from .normalise import normalise


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
        """(I, J, K) normalised intensities to (12, I, J, K) float32, L2-normalised."""
        with torch.no_grad():
            values = dns(normalised[None, None].float(), self.settings.dns)[0, 0]
            if self.settings.centred:
                values -= values.mean(0, keepdim=True)
            return F.normalize(values, dim=0, eps=1e-3)

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(I, J, K) raw intensities on an isotropic lattice to (12, I, J, K)."""
        return self.describe(self.normalise(volume, mask))

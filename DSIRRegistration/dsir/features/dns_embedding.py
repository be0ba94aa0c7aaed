"""From the self-similarity of a feature map to a compact embedding, without holding the self-similarity."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from .dns import DnsSettings, dns

SLAB = 24
"""Planes of the first axis whose relations exist at one time."""


class DnsEmbedding(nn.Module):
    """DNS of F, one linear layer, two 3x3x3 convolutions with a LeakyReLU between [P].

    (N, C, I, J, K) to (N, channels, I, J, K). The C x relations channels of DNS exist for one slab at a time; in
    training each slab is computed again on the way back instead of being kept.
    """

    def __init__(self, features: int, settings: DnsSettings, embedding: int, channels: int, slope: float) -> None:
        super().__init__()
        self.settings = settings
        self.linear = nn.Conv3d(features * settings.relations, embedding, 1)
        self.convs = nn.Sequential(
            nn.Conv3d(embedding, embedding, 3, padding=1),
            nn.LeakyReLU(slope),
            nn.Conv3d(embedding, channels, 3, padding=1),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.convs(self.embed(features))

    def embed(self, features: torch.Tensor) -> torch.Tensor:
        """The linear layer of DNS(F), slab by slab; equal to the layer of the whole DNS."""
        reach, planes = self.settings.margin, features.shape[2]
        parts = []
        for start in range(0, planes, SLAB):
            stop = min(start + SLAB, planes)
            low, high = max(start - reach, 0), min(stop + reach, planes)
            slab = features[:, :, low:high]
            if self.training and torch.is_grad_enabled():
                whole = checkpoint(self._embed, slab, use_reentrant=False)
            else:
                whole = self._embed(slab)
            parts.append(whole[:, :, start - low : stop - low])
        return torch.cat(parts, 2)

    def _embed(self, slab: torch.Tensor) -> torch.Tensor:
        relations = dns(slab.float(), self.settings)
        return self.linear(2 * relations.flatten(1, 2).to(self.linear.weight.dtype) - 1)

"""The *place* output of MASR-Net: where an edge lies within a fraction of a voxel, in any contrast.

    self-similarity of the image at every voxel (radii 1, 2, 4)  ──► 1x1x1 convolution ─────────────┐
    the same and the *find* vectors ──► 1x1x1 ► 3x3x3 ► 3x3x3 convolutions (narrow, full resolution) ┴► + ► unit vectors

The find vectors know what a voxel is and are interpolated between voxels 4 mm apart; they cannot say where it is. The
relations of the image can, but confuse. The direct path lets this output start as good as the relations are; training
(:mod:`dsir.training.gauss_newton`) asks it for what registration needs: a Gauss-Newton step that lands on the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from .dns import DnsSettings, dns_valid
from .layers import VoxelNorm, zero
from .unit import unit


@dataclass(frozen=True)
class PlaceSettings:
    """Shape of the place head.

    Attributes:
        relations: of the image; MIND-SSC's form (Heinrich et al., 2013) at each radius.
        context: channels of the find vectors that are put beside the relations; 0 for none.
        hidden: channels between the convolutions.
        channels: length of the place vectors.
    """

    relations: DnsSettings = field(default_factory=lambda: DnsSettings(radii=(1, 2, 4), patch=1, subtract_minimum=True))
    context: int = 24
    hidden: int = 32
    channels: int = 16

    @property
    def margin(self) -> int:
        """Voxels on each side that one output voxel depends on, the find vectors' own margin not counted."""
        return self.relations.margin + 2


class PlaceHead(nn.Module):
    """Relations and find vectors to place vectors.

    Attributes:
        log_precision: logarithm of what one squared unit of residual is worth, so that the sums of gradients are Fisher
            information in 1 / voxel^2; learned with the rest.
    """

    def __init__(self, settings: PlaceSettings) -> None:
        super().__init__()
        self.settings = settings
        count, hidden = settings.relations.relations, settings.hidden
        self.direct = nn.Conv3d(count, settings.channels, 1)
        self.mix = nn.Conv3d(count + settings.context, hidden, 1)
        self.mix_norm = VoxelNorm(hidden)
        self.first = nn.Conv3d(hidden, hidden, 3, padding=1)
        self.first_norm = VoxelNorm(hidden)
        self.second = nn.Conv3d(hidden, settings.channels, 3, padding=1)
        zero(self.second.weight, self.second.bias)
        self.log_precision = nn.Parameter(torch.zeros(()))
        self.log_sharpness = nn.Parameter(torch.zeros(()))
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch types four dimensions only

    def forward(self, volume: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        """(N, 1, I, J, K) normalised intensities and (N, context, I, J, K) to (N, channels, I, J, K) unit vectors."""
        with torch.no_grad():
            relations = self.relations(volume)
        return self.placed(relations, context)

    def placed(self, relations: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
        """The same from the image's relations (N, relations, I, J, K)."""
        count = relations.shape[1]
        x = mixed(relations, self.mix.weight[:, :count], self.mix.bias)
        if context is not None:
            x += mixed(context, self.mix.weight[:, count:])
        x = F.leaky_relu(self.mix_norm(x), 0.1, inplace=True)
        x = F.leaky_relu(self.first_norm(self.first(x)), 0.1, inplace=True)
        direct = mixed(relations, self.direct.weight, self.direct.bias)
        return unit((direct + self.second(x)).float(), 1, 1e-6)

    def relations(self, volume: torch.Tensor) -> torch.Tensor:
        """(N, relations, I, J, K) of (N, 1, I, J, K) normalised intensities; edges repeat their last voxel."""
        return self.related(F.pad(volume.float(), [self.settings.relations.margin] * 6, mode="replicate"))

    def related(self, padded: torch.Tensor) -> torch.Tensor:
        """(N, relations, I, J, K) centred and of unit length at each radius; nothing here is learned.

        Args:
            padded: (N, 1, I + 2 m, ...) normalised intensities, with the margin m of the relations around.
        """
        settings = self.settings.relations
        values = dns_valid(padded, settings)[:, 0].unflatten(1, (len(settings.radii), 12))
        return unit(values - values.mean(2, keepdim=True), 2, 1e-3).flatten(1, 2)


def mixed(channels: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """A 1x1x1 convolution of (N, C, I, J, K) by (D, C, 1, 1, 1) as one matrix product; channels last.

    It takes channels in whatever order they lie in memory; a convolution would copy them first.
    """
    voxels = channels.flatten(2).transpose(1, 2)
    return F.linear(voxels, weight.flatten(1), bias).unflatten(1, channels.shape[2:]).movedim(-1, 1)

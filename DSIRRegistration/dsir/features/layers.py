"""Layers of MASR-Net: convolutions that normalise each voxel, residual blocks, halving and doubling of the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from .dns import box_mean

if TYPE_CHECKING:
    from .masrnet import MasrNetSettings

_LINE = torch.tensor([0.25, 0.5, 0.25])
BINOMIAL = _LINE[:, None, None] * _LINE[:, None] * _LINE
"""(3, 3, 3) the blur before voxels are left out."""


def thinned(padded: torch.Tensor) -> torch.Tensor:
    """Every second voxel of a blurred volume (N, 1, I, J, K) that carries one voxel of context."""
    return F.conv3d(padded, BINOMIAL[None, None].to(padded), stride=2)


class VoxelNorm(nn.LayerNorm):
    """Layer norm over the channels of each voxel of (N, C, I, J, K); free of copies in channels-last memory."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def zero(*parameters: torch.Tensor | None) -> None:
    """Fill with zeros what there is of these (a layer may have no bias)."""
    for parameter in parameters:
        if parameter is not None:
            nn.init.zeros_(parameter)


class Conv(nn.Sequential):
    """3x3x3 convolution, the voxel's norm if asked for, LeakyReLU."""

    def __init__(self, inside: int, outside: int, settings: MasrNetSettings) -> None:
        slope = settings.slope
        conv = nn.Conv3d(inside, outside, 3, padding=1)
        nn.init.kaiming_normal_(conv.weight, a=slope, nonlinearity="leaky_relu")
        zero(conv.bias)
        norm = [VoxelNorm(outside)] if settings.norm else []
        super().__init__(conv, *norm, nn.LeakyReLU(slope, inplace=True))


class Residual(nn.Module):
    """x + two convolutions; the second starts at zero, so that a fresh block changes nothing."""

    def __init__(self, channels: int, settings: MasrNetSettings) -> None:
        super().__init__()
        self.first = Conv(channels, channels, settings)
        self.second = nn.Conv3d(channels, channels, 3, padding=1)
        zero(self.second.weight, self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(self.first(x))


class BlurPool(nn.Module):
    """Binomial blur, then every second voxel [P] (Zhang 2019): keeps what is learned equivariant under shifts.

    Written as a dense convolution with a diagonal kernel: matrix units run it ten times faster than a grouped one.
    """

    kernel: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel = torch.eye(channels)[:, :, None, None, None] * BINOMIAL
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: torch.Tensor, before: int = 1) -> torch.Tensor:
        """(N, C, I, J, K) with even sides to half of them; ``before``: planes of zeros put before the first.

        With 0 of them ``x`` is a slab whose first plane belongs to the slab before it.
        """
        padded = F.pad(x, [1, 0, 1, 0, before, 0])
        if x.dtype is torch.float32 and x.device.type == "cpu":
            return halved(padded)
        return F.conv3d(padded, self.kernel.to(x.dtype), stride=2)


def halved(padded: torch.Tensor) -> torch.Tensor:
    """The same blur line by line, by which processors without matrix units for bfloat16 save most of its time."""
    for axis in (2, 3, 4):
        count = (padded.shape[axis] - 1) // 2
        odd, even, next_odd = (
            padded[(slice(None),) * axis + (slice(first, first + 2 * count, 2),)] for first in (0, 1, 2)
        )
        padded = torch.add(odd, next_odd).add_(even, alpha=2).mul_(0.25)
    return padded


def double(x: torch.Tensor) -> torch.Tensor:
    """(N, C, i, j, k) to (N, C, 2 i, 2 j, 2 k), linearly; voxel v lands on voxel 2 v, where :class:`BlurPool` took it.

    Plain interpolation by a factor would put it half a voxel further at every level (measured: nothing, while both
    images are turned alike; half a voxel of error where one is mirrored).
    """
    size = [2 * n - 1 for n in x.shape[2:]]
    return F.pad(F.interpolate(x, size=size, mode="trilinear", align_corners=True), [0, 1] * 3, mode="replicate")


def local_contrast(padded: torch.Tensor, radius: int, floor: float = 1e-3) -> torch.Tensor:
    """(x - mean) / (deviation + floor) within a box of ``radius`` voxels, clamped to [-4, 4].

    ``padded`` (N, 1, I, J, K) carries ``radius`` voxels of context, which the result lacks.
    """
    mean = box_mean(padded, radius)
    deviation = (box_mean(padded * padded, radius) - mean * mean).clamp_(min=0).sqrt_()
    return ((trimmed(padded, radius) - mean) / (deviation + floor)).clamp_(-4, 4)


def trimmed(volume: torch.Tensor, width: int) -> torch.Tensor:
    """(N, C, I, J, K) without ``width`` voxels on each side."""
    return volume[:, :, width:-width, width:-width, width:-width] if width else volume

"""The registration network: descriptors of two images in, a displacement without folds out.

Of VoxelMorph's kind (Balakrishnan et al. 2019; the velocity of Dalca et al. 2019): a U-Net whose output is a stationary
velocity, integrated by scaling and squaring. It sees descriptors in the place of intensities, and their cosines at
neighbouring displacements (the correlation layer of Dosovitskiy et al. 2015), which a U-Net would take long to invent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn

from ..geometry.sampling import index_grid, sample


@dataclass(frozen=True)
class RegistrationNetworkSettings:
    """Its shape.

    Attributes:
        channels: of each image's descriptors.
        spacing: mm of the lattice descriptors come in on; the network itself works on one twice as coarse.
        reach: the cosines' displacements go so many coarse voxels each way along each axis.
        widths: channels at each level, each half as fine as the one before.
        integration: squarings; the velocity is followed in 2^n steps.
    """

    channels: int = 16
    spacing: float = 4.0
    reach: int = 2
    widths: tuple[int, ...] = (48, 64, 64)
    integration: int = 6

    @property
    def multiple(self) -> int:
        """Sides are padded to whole multiples of this."""
        return 2 ** len(self.widths)


class RegistrationNetwork(nn.Module):
    """(1, C, I, J, K) descriptors of fixed and moving on one lattice to (1, 3, I, J, K) displacement in its voxels.

    The fixed voxel x lies at x + u(x). A fresh network moves nothing.
    """

    def __init__(self, settings: RegistrationNetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = settings.widths
        inputs = 2 * settings.channels + (2 * settings.reach + 1) ** 3
        self.encode = nn.ModuleList(
            _block(inside, outside) for inside, outside in zip((inputs, *widths[:-1]), widths, strict=True)
        )
        self.decode = nn.ModuleList(
            _block(widths[level + 1] + widths[level], widths[level]) for level in reversed(range(len(widths) - 1))
        )
        self.velocity = nn.Conv3d(widths[0], 3, 3, padding=1)
        nn.init.zeros_(self.velocity.weight)
        nn.init.zeros_(self.velocity.bias)

    def forward(self, fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        size = fixed.shape[2:]
        pads = [pad for n in reversed(size) for pad in (0, (-n) % self.settings.multiple)]
        coarse = [F.avg_pool3d(F.pad(side, pads), 2) for side in (fixed, moving)]
        x = torch.cat([*coarse, correlation(*coarse, self.settings.reach)], 1)
        skips = []
        for level, encode in enumerate(self.encode):
            x = encode(F.avg_pool3d(x, 2) if level else x)
            skips.append(x)
        x = skips.pop()
        for decode in self.decode:
            x = F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)
            x = decode(torch.cat([x, skips.pop()], 1))
        u = integrated(self.velocity(x).float()[0], self.settings.integration)
        fine = 2 * F.interpolate(u[None], scale_factor=2, mode="trilinear", align_corners=False)
        return fine[:, :, : size[0], : size[1], : size[2]]


def correlation(fixed: torch.Tensor, moving: torch.Tensor, reach: int) -> torch.Tensor:
    """(1, (2 reach + 1)^3, I, J, K): the dot products of F(x) and M(x + d), zero where x + d leaves the lattice."""
    padded = F.pad(moving, [reach] * 6)
    i, j, k = fixed.shape[2:]
    found = [
        (fixed * padded[:, :, a : a + i, b : b + j, c : c + k]).sum(1)
        for a, b, c in product(range(2 * reach + 1), repeat=3)
    ]
    return torch.stack(found, 1)


def integrated(velocity: torch.Tensor, squarings: int) -> torch.Tensor:
    """The displacement after following a stationary velocity (3, I, J, K; voxels) for one unit of time."""
    u = velocity / 2**squarings
    grid = index_grid(u.shape[1:], device=u.device)
    for _ in range(squarings):
        u = u + sample(u, grid + u, padding="border")
    return u


def _block(inside: int, outside: int) -> nn.Sequential:
    first, second = nn.Conv3d(inside, outside, 3, padding=1), nn.Conv3d(outside, outside, 3, padding=1)
    for conv in (first, second):
        nn.init.kaiming_normal_(conv.weight, a=0.1, nonlinearity="leaky_relu")
        nn.init.zeros_(conv.bias)
    return nn.Sequential(
        first, nn.GroupNorm(1, outside), nn.LeakyReLU(0.1), second, nn.GroupNorm(1, outside), nn.LeakyReLU(0.1)
    )

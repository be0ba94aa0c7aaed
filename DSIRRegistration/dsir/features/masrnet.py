"""MASR-Net: a volume of any modality to the deep structural representation of every voxel (Mok et al., CVPR 2024).

    intensities -> [self-similarity of the image] -> encoder-decoder -> F
                -> DNS of F -> squeezing   (the paper)   or   a 3x3x3 convolution   ("direct")
                -> [interpolated to every voxel] -> unit vectors

Every point the paper leaves open, and every one where measurement led us elsewhere, is a field of
:class:`MasrNetSettings`; :meth:`MasrNetSettings.paper` is the published configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from .dns import DnsSettings, dns, dns_valid
from .dns_embedding import SLAB, DnsEmbedding
from .layers import BlurPool, Conv, Residual, double, local_contrast, thinned, trimmed

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class MasrNetSettings:
    """Shape of the network.

    Attributes:
        input: ``"intensity"`` [P] or ``"dns"``: the self-similarity of the image itself, which is contrast-free before
            anything is learned (measured: training starts far ahead).
        input_dns: relations of the image when ``input`` is ``"dns"``.
        local_contrast: radii in voxels of boxes; for each, one more input channel (x - mean) / deviation in that box.
            It tells which distant regions are equally bright, what relations of a few voxels cannot.
        base: the encoder-decoder works on every voxel (1 [P]) or on every second one (2): the same time buys a wider,
            deeper network. The input is blurred before it is thinned, the output interpolated. Measured after six
            minutes of training each, found within 4 mm on brain T1-T2: 0.48 and 0.67 (Docs/measurements/ablation.md).
        coarse_dns: relations of the blurred, thinned image, a further input where ``base`` is 2 and ``input`` "dns".
        widths: channels of the levels, each half as fine as the one before [R: 8, 16, 32, 64].
        depth: further residual blocks at each of these levels on the way down (0: none [R]).
        features: channels of F [R: 4].
        head: ``"dns"``: self-similarity of F, then squeezing [P]; ``"direct"``: a 3x3x3 convolution of F.
        feature_dns: relations of F when ``head`` is ``"dns"``.
        embedding: channels after the linear squeezing [R: 24].
        channels: length of the output vectors [R: 24].
        norm: normalise the channels of every voxel by themselves after each convolution ("layer norm"). Without it,
            training at useful learning rates collapsed within 200 steps (measured). Statistics over the volume, as in
            instance norm, would make tiles differ from the whole.
        slope: negative slope of LeakyReLU.
    """

    input: str = "dns"
    input_dns: DnsSettings = field(default_factory=lambda: DnsSettings(radii=(1, 2), floor=1e-6))
    local_contrast: tuple[int, ...] = (4, 10)
    base: int = 2
    coarse_dns: DnsSettings = field(default_factory=lambda: DnsSettings(radii=(1, 2), floor=1e-6))
    widths: tuple[int, ...] = (32, 64, 128)
    depth: tuple[int, ...] = (2, 2, 2)
    features: int = 32
    head: str = "direct"
    feature_dns: DnsSettings = field(default_factory=lambda: DnsSettings(radii=(1, 2), floor=1e-4))
    embedding: int = 24
    channels: int = 24
    norm: bool = True
    slope: float = 0.1

    @staticmethod
    def paper() -> MasrNetSettings:
        """The published network as METHOD.md has it: raw intensities, F of 4 channels, DNS of F, 24 channels out."""
        return MasrNetSettings(
            input="intensity",
            local_contrast=(),
            base=1,
            widths=(8, 16, 32, 64),
            depth=(0, 0, 0, 0),
            features=4,
            head="dns",
            channels=24,
            norm=False,
            slope=0.2,
        )

    @property
    def thinned(self) -> bool:
        """Whether the encoder-decoder sees every second voxel only."""
        return self.base == 2

    @property
    def stride(self) -> int:
        """Largest stride; positions differing by a multiple of it see the very same arithmetic."""
        return self.base * 2 ** (len(self.widths) - 1)

    @property
    def margin(self) -> int:
        """Voxels on each side that one output voxel can depend on, rounded up to whole strides.

        The image's relations and the boxes come first; then, at resolution 1/s, every 3x3x3 convolution reaches s
        voxels, blurring s / 2 on the way down and trilinear interpolation s on the way up.
        """
        reach = max([self.input_dns.margin if self.input == "dns" else 0, *self.local_contrast])
        if self.thinned:
            reach = 1 + max(reach, self.base * self.coarse_dns.margin) + self.base
        levels = len(self.widths)
        for level in range(levels):
            scale = self.base * 2**level
            down = (2 if level else 1) + 2 * self.depth[level] + (1 if level == levels - 1 else 0)
            up = 1 if level < levels - 1 else 0
            reach += scale * (down + up) + (scale // 2 + scale if level else 0)
        reach += self.base * (1 + (self.feature_dns.margin + 2 if self.head == "dns" else 1))
        return -(-reach // self.stride) * self.stride


class MasrNet(nn.Module):
    """The network; (N, 1, I, J, K) normalised intensities to (N, channels, I, J, K) unit vectors."""

    def __init__(self, settings: MasrNetSettings) -> None:
        super().__init__()
        self.settings = settings
        widths, slope = settings.widths, settings.slope
        self.inputs = (settings.input_dns.relations if settings.input == "dns" else 1) + len(settings.local_contrast)
        if settings.base not in (1, 2):
            raise ValueError(f"base is 1 or 2, not {settings.base}")
        coarse = settings.thinned and settings.input == "dns"
        inside = self.inputs + (settings.coarse_dns.relations if coarse else 0)
        self.thin = BlurPool(self.inputs) if settings.thinned else None
        self.stem_channels = inside
        self.stem = self._level(inside, widths[0], settings.depth[0])
        self.down, self.encode = nn.ModuleList(), nn.ModuleList()
        for level in range(1, len(widths)):
            above = widths[level - 1]
            self.down.append(nn.Sequential(BlurPool(above), Conv(above, above, settings)))
            self.encode.append(self._level(above, widths[level], settings.depth[level]))
        self.bottom = Conv(widths[-1], widths[-1], settings)
        self.decode = nn.ModuleList(
            Conv(widths[level + 1] + widths[level], widths[level], settings)
            for level in reversed(range(len(widths) - 1))
        )
        self.features = nn.Conv3d(widths[0], settings.features, 3, padding=1)
        self.head: nn.Module
        if settings.head == "dns":
            self.head = DnsEmbedding(
                settings.features, settings.feature_dns, settings.embedding, settings.channels, slope
            )
        else:
            self.head = nn.Sequential(
                nn.LeakyReLU(slope), nn.Conv3d(settings.features, settings.channels, 3, padding=1)
            )
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch types four dimensions only

    def _level(self, inside: int, outside: int, depth: int) -> nn.Sequential:
        blocks = [Residual(outside, self.settings) for _ in range(depth)]
        return nn.Sequential(Conv(inside, outside, self.settings), *blocks)

    def prepare(self, volume: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """The fixed, contrast-free input channels of (N, 1, I, J, K), channels last; nothing here is learned.

        Where the encoder-decoder sees every second voxel, so does the result. Made slab by slab: in float32, at every
        voxel and at once they would be the largest thing in memory.
        """
        settings, base = self.settings, self.settings.base
        reach = max([self._relations.margin if self._relations else 0, *settings.local_contrast])
        padded = F.pad(volume, [reach] * 6, mode="replicate")
        channels = self.stem_channels
        size = [n // base for n in volume.shape[2:]]
        out = torch.empty(
            volume.shape[0], channels, *size, dtype=dtype, device=volume.device, memory_format=torch.channels_last_3d
        )
        for start in range(0, volume.shape[2], SLAB):
            stop = min(start + SLAB, volume.shape[2])
            first = max(start - 1, 0) if settings.thinned else start  # what the blur reads before the slab
            slab = self._inputs(padded[:, :, first : stop + 2 * reach], reach)
            if self.thin is not None:
                slab = self.thin(slab, before=int(first == start))
            out[:, : slab.shape[1], start // base : stop // base] = slab
        if channels > self.inputs:
            coarse = thinned(F.pad(volume.float(), [1] * 6, mode="replicate"))
            out[:, self.inputs :] = 2 * dns(coarse, settings.coarse_dns)[:, 0] - 1
        return out

    @property
    def _relations(self) -> DnsSettings | None:
        return self.settings.input_dns if self.settings.input == "dns" else None

    def _inputs(self, padded: torch.Tensor, reach: int) -> torch.Tensor:
        """The input channels at every voxel that has ``reach`` voxels of context."""
        relations, radii = self._relations, self.settings.local_contrast
        out = padded.new_empty(len(padded), self.inputs, *(n - 2 * reach for n in padded.shape[2:]))
        count = self.inputs - len(radii)
        first = out[:, :count]
        if relations:
            dns_valid(trimmed(padded, reach - relations.margin), relations, first[:, None]).mul_(2).sub_(1)
        else:
            first.copy_(trimmed(padded, reach))
        for n, radius in enumerate(radii, count):
            out[:, n : n + 1] = local_contrast(trimmed(padded, reach - radius), radius)
        return out

    def forward(self, volume: torch.Tensor, inner: Box | None = None) -> torch.Tensor:
        """Unit vectors at every voxel of (N, 1, I, J, K), or of its part ``inner``."""
        size = volume.shape[2:]
        x = self.encoded(volume)
        inner = inner or (slice(0, size[0]), slice(0, size[1]), slice(0, size[2]))
        if torch.is_grad_enabled():
            return self._vectors(x)[(..., *inner)]
        base, planes = self.settings.base, SLAB // self.settings.base
        wanted, across = inner[0], inner[1:]
        out = torch.empty(*x.shape[:2], *(s.stop - s.start for s in inner), device=x.device)
        for start in range(wanted.start // base, -(-wanted.stop // base), planes):  # all at once is twice the memory
            first = start * base
            slab = self._vectors(x[:, :, start : start + planes + 1])[:, :, : planes * base]
            low, high = max(wanted.start, first), min(wanted.stop, first + slab.shape[2])
            out[:, :, low - wanted.start : high - wanted.start] = slab[(..., slice(low - first, high - first), *across)]
        return out

    def encoded(self, volume: torch.Tensor) -> torch.Tensor:
        """(N, channels, I / base, J / base, K / base) vectors of any length, where the network makes them.

        Sides are rounded up to whole strides.
        """
        stride = self.settings.stride
        pads = [(-n) % stride for n in volume.shape[2:]]
        if any(pads):
            volume = F.pad(volume, [0, pads[2], 0, pads[1], 0, pads[0]], mode="replicate")
        device = volume.device.type
        half = torch.is_autocast_enabled(device)
        with torch.no_grad():
            x = self.prepare(volume, torch.get_autocast_dtype(device) if half else torch.float32)
        x = self.stem(x)
        skips = [x]
        for down, encode in zip(self.down, self.encode, strict=True):
            x = encode(down(x))
            skips.append(x)
        x = self.bottom(skips.pop())
        for decode in self.decode:
            x = decode(torch.cat([double(x), skips.pop().to(x.dtype)], 1))
        encoded: torch.Tensor = self.head(self.features(x))
        return encoded

    def _vectors(self, x: torch.Tensor) -> torch.Tensor:
        """Unit vectors at every voxel, from the head's output."""
        return F.normalize(double(x.float()) if self.settings.thinned else x.float(), dim=1, eps=1e-6)

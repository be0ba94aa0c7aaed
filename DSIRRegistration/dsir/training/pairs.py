"""Pairs to learn registration from, made of single scans: two looks of one anatomy, described once, bent ever anew.

Describing is by far the dearest part, so a fixed number of pairs of views is described beforehand; each step bends the
descriptors of both views with a fresh smooth deformation (descriptors of a bent scan are nearly the bent descriptors of
the scan, as long as the bending is smooth).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ..features.descriptor import Descriptor
from ..geometry.sampling import index_grid, sample
from ..progress import Progress
from ..registration.working_grid import grown
from .batches import Example, Examples
from .draws import normal, step_generator, uniform
from .views import View


@dataclass(frozen=True)
class BendingSettings:
    """How the pairs are bent at each step.

    Attributes:
        knots: mm between the control points, which are interpolated twice (quadratic, so that nothing has a kink).
        amplitude: mm; the largest standard deviation of a side's displacement along each axis, drawn anew each time.
    """

    knots: float = 40.0
    amplitude: float = 6.0


@dataclass(frozen=True, eq=False)
class DescribedView:
    """One side of a pair.

    Attributes:
        features: (C, n, n, n) unit vectors averaged to the network's spacing, zero outside the body and a rim.
        body: (n, n, n) share of body.
        points: (3, N) voxels; the same anatomy as the other side's, row by row.
    """

    features: torch.Tensor
    body: torch.Tensor
    points: torch.Tensor

    def to(self, device: torch.device) -> DescribedView:
        """On another device, in float32."""
        return DescribedView(*(part.to(device, torch.float32) for part in (self.features, self.body, self.points)))

    def bent(self, warp: torch.Tensor) -> DescribedView:
        """Read through x + warp(x), (3, n, n, n) voxels; the points go the other way, by fixed-point iteration."""
        index = index_grid(warp.shape[1:], device=warp.device) + warp
        values = sample(torch.cat([self.features, self.body[None]]), index)
        points = self.points
        for _ in range(8):
            points = self.points - sample(warp, points, padding="border")
        return DescribedView(values[:-1], values[-1], points)


@dataclass(frozen=True)
class PairSettings:
    """What is described beforehand.

    Attributes:
        count: pairs of views.
        bending: of each step.
    """

    count: int = 64
    bending: BendingSettings = field(default_factory=BendingSettings)


class Pairs:
    """Draws pairs; each depends on the seed and its number alone."""

    def __init__(
        self,
        examples: Examples,
        descriptor: Descriptor,
        settings: PairSettings,
        spacing: float,
        progress: Progress,
    ) -> None:
        self.settings, self.spacing, self.seed = settings, spacing, examples.seed
        self.block = round(spacing / examples.settings.views.spacing)
        self.described: list[tuple[DescribedView, DescribedView]] = []
        for n in range(settings.count):
            progress("describing", n / settings.count, f"describing pair {n + 1} of {settings.count}")
            self.described.append(self._describe(examples.draw(n), descriptor))

    def draw(self, number: int, device: torch.device) -> tuple[DescribedView, DescribedView]:
        """Fixed and moving side of this number; either view may be the fixed one."""
        generator = step_generator(self.seed + 1, number)
        pair = self.described[int(torch.randint(0, len(self.described), (1,), generator=generator))]
        if uniform(0, 1, generator) < 0.5:
            pair = pair[::-1]
        warps = [self._warp(side.body.shape, generator).to(device) for side in pair]
        fixed, moving = (side.to(device).bent(warp) for side, warp in zip(pair, warps, strict=True))
        return fixed, moving

    def _warp(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """(3, n, n, n) voxels, smooth."""
        bending = self.settings.bending
        knots = [max(4, round(n * self.spacing / bending.knots) + 1) for n in shape]
        control = normal((1, 3, *knots), generator) * bending.amplitude * uniform(0, 1, generator) / self.spacing
        fine = F.interpolate(control, size=tuple(shape), mode="trilinear", align_corners=True)
        half = max(1, round(0.25 * bending.knots / self.spacing))
        smooth = F.avg_pool3d(F.pad(fine, [half] * 6, mode="replicate"), 2 * half + 1, stride=1)
        return smooth[0]

    def _describe(self, example: Example, descriptor: Descriptor) -> tuple[DescribedView, DescribedView]:
        sides = zip(example.views, (example.first, example.second), (example.a, example.b), strict=True)
        return tuple(self._side(example, descriptor, *side) for side in sides)

    def _side(
        self, example: Example, descriptor: Descriptor, view: View, look: torch.Tensor, points: torch.Tensor
    ) -> DescribedView:
        body = sample(example.source.body.float()[None], view.grid())[0]
        features = descriptor.describe(look) * grown(body)
        pooled = F.avg_pool3d(torch.cat([features, body[None]]), self.block)
        points = (points - (self.block - 1) / 2) / self.block
        return DescribedView(pooled[:-1].half(), pooled[-1].half(), points)

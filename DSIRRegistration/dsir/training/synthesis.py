"""A random look for one view: what a scanner of unknown kind might have made of this anatomy."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ..features.normalise import normalise
from ..geometry.sampling import sample
from .curves import random_curve
from .degrade import Degradation, degrade, smooth_field
from .neighbourhood import random_neighbourhood
from .random_numbers import chance, uniform
from .tissue import random_table
from .views import View
from .volumes import Source


@dataclass(frozen=True)
class SynthesisSettings:
    """How wild the looks are.

    Attributes:
        degradation: bias field, blur, noise, slice thickness.
        local: probability that two curves of intensity share the view, blended over space.
        hidden: probability that a view of a head shows the brain only, the rest being background; positions outside
            the brain are then not asked for.
        cropped: probability that a slab of the field of view is missing.
        monotone: probability that a scan's curve is the paper's monotone Bezier [R] instead of a free one.
        mixed: probability that a scan's brightness is a random function of its neighbourhood instead of a curve.
    """

    degradation: Degradation = field(default_factory=Degradation)
    local: float = 0.25
    hidden: float = 0.25
    cropped: float = 0.1
    monotone: float = 0.3
    mixed: float = 0.3


def look(
    source: Source, view: View, settings: SynthesisSettings, generator: torch.Generator, *, hidden: bool = False
) -> torch.Tensor:
    """(n, n, n) normalised intensities of ``source`` seen through ``view``, with a contrast of its own.

    ``hidden``: of a head, only the brain is shown.
    """
    grid = view.grid()
    low, box = _box(grid, source.data.shape)
    part = source.data[box]
    inner = grid - low[:, None, None, None]
    if source.kind == "labels":
        image = _render(part.long(), inner, hidden, generator)
    else:
        image = _remap(part.float(), inner, settings, generator)
    image = degrade(image, settings.degradation, generator)
    if chance(settings.cropped, generator):
        image = _crop(image, generator)
    return normalise(image)


def _box(grid: torch.Tensor, shape: torch.Size) -> tuple[torch.Tensor, tuple[slice, ...]]:
    """The part of the source a view needs, with a voxel to spare; at least two voxels along each axis."""
    limits = torch.tensor(shape)
    flat = grid.reshape(3, -1)
    low = flat.amin(1).floor().long().clamp(min=0).minimum(limits - 2)
    high = (flat.amax(1).ceil().long() + 2).minimum(limits).maximum(low + 2)
    return low, tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def _render(labels: torch.Tensor, grid: torch.Tensor, hidden: bool, generator: torch.Generator) -> torch.Tensor:
    table = random_table(int(labels.max()) + 1, generator, hidden=hidden)
    looks = torch.stack([table.mean[labels], table.deviation[labels]])
    seen = sample(looks, grid, padding="zeros")
    texture = torch.randn(grid.shape[1:], generator=generator)
    if chance(0.5, generator):
        texture = F.avg_pool3d(F.pad(texture[None, None], [1] * 6, mode="replicate"), 3, 1)[0, 0] * 3
    image = seen[0] + seen[1] * texture
    if chance(0.5, generator):  # tissue brightness that drifts within a tissue
        image = image + 2 * seen[1] * smooth_field(image.shape, 5, generator)
    return image


def _remap(
    part: torch.Tensor, grid: torch.Tensor, settings: SynthesisSettings, generator: torch.Generator
) -> torch.Tensor:
    image = sample(part[None] - part.min(), grid, padding="zeros")[0] + part.min()
    if chance(settings.mixed, generator):
        return random_neighbourhood(image, generator)
    curve = random_curve(image, generator, monotone=settings.monotone)
    out = curve(image)
    if chance(settings.local, generator):
        share = torch.sigmoid(3 * smooth_field(image.shape, int(uniform(3, 6, generator)), generator))
        out = share * out + (1 - share) * random_curve(image, generator, monotone=settings.monotone)(image)
    return out


def _crop(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Replace a slab at one side by background: a field of view that ends."""
    axis = int(torch.randint(0, 3, (1,), generator=generator))
    planes = int(uniform(0.05, 0.2, generator) * image.shape[axis])
    start = 0 if chance(0.5, generator) else image.shape[axis] - planes
    out = image.clone()
    out.narrow(axis, start, planes).fill_(float(image.min()))
    return out

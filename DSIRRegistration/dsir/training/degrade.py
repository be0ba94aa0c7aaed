"""What scanners do to a picture: shading, blur, thick slices, noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..geometry.sampling import gaussian_blur
from .random_numbers import chance, uniform


@dataclass(frozen=True)
class Degradation:
    """Largest strengths; each view draws its own.

    Attributes:
        bias: standard deviation of the logarithm of the shading.
        blur: voxels, standard deviation of the Gaussian that a third of the views get.
        smooth: voxels, the same for the seventh of the views that look like averages of many people.
        thickness: factor by which one axis is sampled more coarsely (a fifth of the views).
        noise: standard deviation as a share of the spread of tissues (twice the body's interquartile range), not of the
            whole range: else a head whose bone is far from its soft tissue would drown.
    """

    bias: float = 0.3
    blur: float = 0.8
    smooth: float = 2.0
    thickness: float = 2.2
    noise: float = 0.08


def degrade(image: torch.Tensor, settings: Degradation, generator: torch.Generator) -> torch.Tensor:
    """(n, n, n) intensities, degraded at random."""
    spread = _spread(image)
    if chance(0.6, generator):
        strength = uniform(0, settings.bias, generator)
        image = image * torch.exp(strength * smooth_field(image.shape, 4, generator))
    if chance(0.35, generator):
        image = gaussian_blur(image[None], uniform(0.3, settings.blur, generator))[0]
    if chance(0.15, generator):
        image = gaussian_blur(image[None], uniform(settings.blur, settings.smooth, generator))[0]
    if chance(0.2, generator):
        image = _thick(image, uniform(1.3, settings.thickness, generator), generator)
    if chance(0.75, generator):
        amount = settings.noise * spread * uniform(0, 1, generator) ** 2
        image = image + amount * torch.randn(image.shape, generator=generator)
    return image


def _spread(image: torch.Tensor) -> float:
    """Twice the interquartile range of what is not background."""
    values = image.flatten()[::7]
    inside = values[values > values.min() + 1e-3 * (values.max() - values.min())]
    quartiles = torch.quantile(inside if inside.numel() > 50 else values, torch.tensor([0.25, 0.75]))
    return 2 * float(quartiles[1] - quartiles[0])


def _thick(image: torch.Tensor, factor: float, generator: torch.Generator) -> torch.Tensor:
    """Average along one axis to slices ``factor`` times thicker, and interpolate back."""
    axis = int(torch.randint(0, 3, (1,), generator=generator))
    sigmas = [0.4 * factor if a == axis else 0.0 for a in range(3)]
    size = list(image.shape)
    coarse = list(size)
    coarse[axis] = max(2, round(size[axis] / factor))
    thin = F.interpolate(gaussian_blur(image[None], sigmas)[None], size=coarse, mode="trilinear", align_corners=True)
    return F.interpolate(thin, size=size, mode="trilinear", align_corners=True)[0, 0]


def smooth_field(shape: torch.Size | tuple[int, ...], points: int, generator: torch.Generator) -> torch.Tensor:
    """(n, n, n) a smooth random field of unit deviation, from ``points`` control points along each axis."""
    control = torch.randn((1, 1, points, points, points), generator=generator)
    return F.interpolate(control, size=tuple(shape), mode="trilinear", align_corners=True)[0, 0]

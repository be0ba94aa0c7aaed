"""Brightness as a random function of a voxel and its surroundings: what no curve of intensity can do.

A curve gives the border between white matter and fluid, whose brightness lies between them, the look of grey matter. No
scanner does. A function that also sees the steepness and the blurred image tells the two apart (in the manner of the
random shallow networks of Ouyang et al. 2022).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..geometry.sampling import gaussian_blur
from .curves import random_curve
from .random_numbers import chance, uniform

BLURS = (0.8, 1.6, 3.2)
"""Voxels: standard deviations of what the function sees beside the voxel itself."""


def random_neighbourhood(image: torch.Tensor, generator: torch.Generator, *, hidden: int = 12) -> torch.Tensor:
    """(n, n, n) intensities through a random curve and a random perceptron of it and of its blurred copies.

    What is background stays alike everywhere.
    """
    seen = random_curve(image, generator, monotone=1.0)(image)
    blurred = [gaussian_blur(seen[None], sigma)[0] for sigma in BLURS]
    channels = torch.stack([seen, *blurred, _steepness(blurred[0])]).reshape(2 + len(BLURS), -1)
    channels = (channels - channels.mean(1, keepdim=True)) / (channels.std(1, keepdim=True) + 1e-3)
    # How much the surroundings may say beside the voxel itself differs from look to look.
    weight = torch.ones(channels.shape[0])
    weight[1:] = uniform(0.1, 0.7, generator)
    inner = torch.randn((hidden, channels.shape[0]), generator=generator) * weight
    shift = torch.randn((hidden, 1), generator=generator)
    outer = torch.randn((1, hidden), generator=generator)
    out = (outer @ F.leaky_relu(inner @ channels + shift, 0.1)).reshape(image.shape)
    return _on_background(out, image, generator)


def _steepness(image: torch.Tensor) -> torch.Tensor:
    """Length of the gradient: what tells a border's middle from a tissue of that brightness."""
    return torch.stack(torch.gradient(image)).square().sum(0).sqrt()


def _on_background(out: torch.Tensor, image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """``out`` between 0 and 1 where ``image`` shows something; elsewhere the darkest, now and then anything else."""
    low, high = float(image.min()), float(image.max())
    body = image > low + 0.03 * (high - low)
    inside = out[body]
    if inside.numel() < 100:
        return out
    ends = torch.quantile(inside[:: max(1, inside.numel() // 20_000)], torch.tensor([0.01, 0.99]))
    start = uniform(0, 0.4, generator)
    out = start + (1 - start) * ((out - ends[0]) / (ends[1] - ends[0] + 1e-6)).clamp(-0.1, 1.1)
    return torch.where(body, out, 0.0 if chance(0.85, generator) else uniform(0, 1, generator))

"""The same anatomy in a contrast no scanner has: a stand-in for a second modality."""

from __future__ import annotations

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

from ..geometry.image import Image
from ..geometry.sampling import gaussian_blur


def random_contrast(
    image: Image, body: torch.Tensor, *, seed: int = 0, knots: int = 6, bias: float = 0.2, noise: float = 0.02
) -> Image:
    """Redraw an image with a random, non-monotone intensity curve, a bias field and noise.

    The curve's knots lie half-way between quantiles of the body's intensities and equal steps, so that tissues, not
    empty ranges, change places, and yet no curve is so steep that it shows noise alone. Two neighbouring knots differ
    by at least 0.15 of the range, so that no border between tissues vanishes altogether.

    Args:
        body: (I, J, K) bool on the image's lattice; outside it the result is noise alone.
        knots: of the curve.
        bias: standard deviation of the log of the (smooth) brightness.
        noise: standard deviation, as a share of the range.

    Returns:
        values about 0 to 1000, never negative, body above background.
    """
    rng = np.random.default_rng([seed, 2])
    values = image.data[body].double().numpy()
    quantiles = np.quantile(values, np.linspace(0.005, 0.995, knots))
    levels = (quantiles + np.linspace(quantiles[0], quantiles[-1], knots)) / 2
    curve = PchipInterpolator(levels, _zigzag(len(levels), rng))
    remapped = torch.as_tensor(curve(np.clip(image.data.double().numpy(), levels[0], levels[-1])), dtype=torch.float32)
    remapped = remapped * _brightness(image.data.shape, image.lattice.spacing, bias, rng)
    grain = noise * torch.as_tensor(rng.standard_normal(image.data.shape), dtype=torch.float32)
    return Image(1000 * (remapped * body + grain).abs(), image.lattice)  # a magnitude image: noise in the air, too


def _zigzag(count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` random values in 0.1..1, neighbours at least 0.15 apart."""
    while True:
        values = rng.uniform(0.1, 1.0, count)
        turns = np.sign(np.diff(values))
        if np.abs(np.diff(values)).min() >= 0.15 and len(set(turns)) > 1:
            return values


def _brightness(shape: torch.Size, spacing: np.ndarray, bias: float, rng: np.random.Generator) -> torch.Tensor:
    """A smooth field around 1: noise on a coarse grid (32 mm), enlarged."""
    coarse = [max(int(n * s / 32), 3) for n, s in zip(shape, spacing, strict=True)]
    seeds = gaussian_blur(torch.as_tensor(rng.standard_normal((1, *coarse)), dtype=torch.float32), 1.0)
    seeds = seeds / seeds.std().clamp(min=1e-6)
    smooth = torch.nn.functional.interpolate(seeds[None], size=tuple(shape), mode="trilinear", align_corners=True)
    return (bias * smooth[0, 0]).exp()

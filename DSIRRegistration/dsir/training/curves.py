"""Random curves of intensity: monotone as in the paper, and free ones, which make one modality look like another."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .random_numbers import chance, uniform

ENTRIES = 2048
"""Length of the look-up table; a CT of 4,000 HU is read to 2 HU, or finer inside a window."""

Curve = Callable[[torch.Tensor], torch.Tensor]


def random_curve(image: torch.Tensor, generator: torch.Generator, *, monotone: float) -> Curve:
    """A curve for intensities like those of ``image``: windowed at random, then bent."""
    values = image.reshape(-1)[:: max(1, image.numel() // 20_000)]
    body = values[values > values.min() + 0.05 * (values.max() - values.min())]
    body = body if body.numel() > 100 else values
    low, high = float(values.min()), float(torch.quantile(values, 0.998))
    if chance(0.4, generator):  # a window such as radiologists use: what lies outside is lost
        ends = torch.quantile(body, torch.tensor([uniform(0, 0.1, generator), uniform(0.9, 1, generator)]))
        low, high = float(ends[0]), float(ends[1])
    high = max(high, low + 1e-3 * (1 + abs(low)))
    x = torch.linspace(0, 1, ENTRIES)
    if chance(monotone, generator):
        table = _bezier(x, generator)
    else:
        count = int(uniform(3, 9, generator))
        knots = torch.rand(count, generator=generator)
        if chance(0.7, generator):  # knots where the tissues are, not where the scale is
            knots = ((torch.quantile(body, knots) - low) / (high - low)).clamp(0, 1)
        table = _interpolate(x, knots.sort().values, torch.rand(count, generator=generator))
    if chance(0.5, generator):
        table = 1 - table
    return lambda image: table[(((image - low) / (high - low)).clamp(0, 1) * (ENTRIES - 1)).long()]


def _bezier(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The monotone cubic Bezier curve through (0, 0) and (1, 1) with two random inner control points [R]."""
    points = torch.rand(2, 2, generator=generator)
    t = torch.linspace(0, 1, 512)
    along, height = (
        3 * (1 - t) ** 2 * t * points[0, axis] + 3 * (1 - t) * t**2 * points[1, axis] + t**3 for axis in (0, 1)
    )
    return _interpolate(x, along.sort().values, height.sort().values)


def _interpolate(x: torch.Tensor, knots: torch.Tensor, heights: torch.Tensor) -> torch.Tensor:
    right = torch.searchsorted(knots, x).clamp(1, len(knots) - 1)
    a, b = knots[right - 1], knots[right]
    share = ((x - a) / (b - a).clamp(min=1e-6)).clamp(0, 1)
    return heights[right - 1] + share * (heights[right] - heights[right - 1])

"""Channels of made-up descriptors."""

from __future__ import annotations

import torch
from dsir.geometry.sampling import gaussian_blur


def smooth_noise(shape: tuple[int, int, int], count: int, blur: float, seed: int) -> torch.Tensor:
    """(count, I, J, K) of unit variance, smooth over ``blur`` voxels."""
    noise = gaussian_blur(torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed)), blur)
    return noise / noise.std()

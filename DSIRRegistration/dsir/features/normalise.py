"""Bring intensities of any modality and unit to one scale, without asking which modality it is."""

from __future__ import annotations

import numpy as np
import torch

SAMPLES = 200_000
"""Voxels from which percentiles are taken; more changes the third digit at most (measured)."""


def normalise(volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Intensities as a share of their own robust range: (x - low) / (high - low), clamped to [-0.5, 1.5].

    ``low`` and ``high`` are the 0.5 and 99.5 percentiles inside the body (``mask``, or every voxel above the padding
    value). Units, rescale slopes and outliers such as metal drop out; the sign and shape of the contrast do not matter
    to self-similarity, so no modality is asked for.

    Args:
        volume: (I, J, K), finite.
        mask: (I, J, K), non-zero inside the body.

    Returns:
        (I, J, K) float32; zeros everywhere if the volume is constant.
    """
    volume = volume.float()
    low, high = robust_range(volume, mask)
    if high - low <= 0:
        return torch.zeros_like(volume)
    return ((volume - low) / (high - low)).clamp_(-0.5, 1.5)


def robust_range(volume: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[float, float]:
    """The 0.5 and 99.5 percentiles of the body's intensities; (v, v) for a constant volume."""
    values = volume[mask > 0] if mask is not None and bool((mask > 0).any()) else _foreground(volume)
    if values.numel() > SAMPLES:
        values = values[:: values.numel() // SAMPLES + 1]
    low, high = np.quantile(values.cpu().numpy(), [0.005, 0.995]).tolist()  # need not sort them all, as PyTorch does
    if high <= low:
        low, high = float(values.min()), float(values.max())
    return low, high


def _foreground(volume: torch.Tensor) -> torch.Tensor:
    """The voxels that are not padding: padding is the smallest value, if at least one voxel in fifty has it."""
    flat = volume.reshape(-1)
    smallest = flat.min()
    inside = flat[flat > smallest]
    return inside if inside.numel() and inside.numel() < 0.98 * flat.numel() else flat

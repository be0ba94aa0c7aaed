"""Mutual information of two images, and how sure its rise or fall is.

It knows nothing of structures, only which values meet, so that it can judge what was found by descriptors.
"""

from __future__ import annotations

import numpy as np
import torch

BINS = 32
"""Grey levels on either side, as Mattes et al. (2003) and ITK have them."""

GROUPS = 20
"""Parts of the volume, each left out once, from which the error is told."""


def levels(values: torch.Tensor, weight: torch.Tensor, bins: int = BINS) -> torch.Tensor:
    """(...) whole numbers 0..bins-1: the values' ranks among those that weigh (equal shares in each level).

    Ranks do not mind that a few bright voxels stretch the scale.
    """
    seen = values[weight > 0].flatten().float()
    if len(seen) == 0:
        return torch.zeros_like(values, dtype=torch.long)
    seen = seen[:: max(1, len(seen) // 100_000)]
    shares = torch.linspace(0, 1, bins + 1)[1:-1].numpy()
    edges = torch.from_numpy(np.quantile(seen.numpy(), shares).astype(np.float32))
    return torch.bucketize(values.float().contiguous(), edges)


def joint_histograms(
    fixed: torch.Tensor, moving: torch.Tensor, weight: torch.Tensor, group: torch.Tensor, bins: int = BINS
) -> torch.Tensor:
    """(G, bins, bins) how much weight meets in each pair of levels, group by group.

    Args:
        fixed, moving: levels of the same places.
        weight: of each place.
        group: 0..G-1, of each place.
    """
    count = int(group.max()) + 1
    index = (group * bins + fixed) * bins + moving
    total = torch.zeros(count * bins * bins).index_add_(0, index.flatten(), weight.flatten().float())
    return total.view(count, bins, bins)


def mutual_information(histogram: torch.Tensor) -> torch.Tensor:
    """(...) in nats, of joint histograms (..., bins, bins)."""
    joint = histogram.double() / histogram.double().sum((-1, -2), keepdim=True).clamp(min=1e-12)
    apart = joint.sum(-1, keepdim=True) * joint.sum(-2, keepdim=True)
    return (joint * (joint.clamp(min=1e-300) / apart.clamp(min=1e-300)).log()).sum((-1, -2))


def rise(before: torch.Tensor, after: torch.Tensor) -> tuple[float, float]:
    """How much the mutual information rises, and its standard error by leaving out each group once (jackknife).

    Args:
        before, after: (G, bins, bins) histograms of the same groups.
    """
    whole = float(mutual_information(after.sum(0)) - mutual_information(before.sum(0)))
    count = len(before)
    if count < 3:
        return whole, float("inf")
    left = mutual_information(after.sum(0) - after) - mutual_information(before.sum(0) - before)
    return whole, float(((count - 1) / count * (left - left.mean()).square().sum()).sqrt())

"""Local normalised cross-correlation of descriptor channels, by least squares.

Channels less their local mean, by their local deviation: squared differences of such channels are two less twice the
local correlation, so that the descent needs no other equations. Contrast that is strong in one scan and weak in the
other counts alike, and so do faint borders beside strong ones. It sees less of what is not there at all: begun too
early it goes astray, so it makes the last steps only (measured: Docs/measurements/solver.md).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..geometry.lattice import as_shape
from ..geometry.sampling import gaussian_blur
from .leading_directions import projected
from .normal import pooled
from .solver import expanded
from .working_grid import FeatureMap

RIDGE = 0.1
"""Of a channel's mean local variance, added to it everywhere: where nothing changes, noise is not blown up."""


def correlated(fixed: FeatureMap, moving: FeatureMap, width: float) -> tuple[FeatureMap, FeatureMap]:
    """Both images in the leading directions of their channels as they are, standardised.

    Args:
        width: voxels, standard deviation of the Gaussian within which they are correlated.
    """
    fixed, moving = projected(fixed, moving, torch.eye(len(fixed.features)))
    return standardised(fixed, width), standardised(moving, width)


def standardised(image: FeatureMap, width: float) -> FeatureMap:
    """Each channel less its local mean, by its local deviation; as large in the mean square as unit vectors.

    Means and deviations are smooth, so they are taken from pairs of voxels.

    Args:
        width: voxels, standard deviation of the Gaussian.
    """
    out, inside, scale = image.room(len(image.features)), image.mask[None], 0.0
    shape, total = as_shape(image.mask.shape), float(image.mask.sum().clamp(min=1e-6))
    share = gaussian_blur(pooled(inside, 2), width / 2).clamp(min=1e-3)
    for n, channel in enumerate(image.features):
        values = channel.float()[None] * inside
        mean = gaussian_blur(pooled(values, 2), width / 2) / share
        square = gaussian_blur(pooled(values * values, 2), width / 2) / share
        mean, square = expanded(mean, 2, shape), expanded(square, 2, shape)
        variance = square.sub_(mean * mean).clamp_(min=0)
        ridge = RIDGE * float((variance * inside[0]).sum() / total) + 1e-12
        done = (values - mean)[0].mul_(inside[0]).mul_(variance[0].add_(ridge).rsqrt_())
        out[n] = done
        scale += float(done.square().sum() / total)
    return replace(image, features=out.mul_(max(scale, 1e-12) ** -0.5))

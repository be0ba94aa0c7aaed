"""Fewer channels for programs that compare one scalar image with another: the principal components of a pair."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def principal_components(
    features: Sequence[torch.Tensor], inside: Sequence[torch.Tensor], count: int
) -> list[torch.Tensor]:
    """The directions that keep most of the vectors of all images together, the same for each.

    The mean stays in: of all projections to ``count`` numbers this one keeps the dot products of the vectors best, and
    the dot product is what is compared. Zero stays zero, so that a mask outlives it.

    Args:
        features: one (C, I, J, K) for each image.
        inside: one (I, J, K) bool for each: the voxels that are listened to.
        count: components, at most C.

    Returns:
        one (count, I, J, K) for each image, strongest component first.
    """
    channels = features[0].shape[0]
    second = torch.zeros(channels, channels, dtype=torch.float64)
    for values, mask in zip(features, inside, strict=True):
        body = values[:, mask].double()
        second += body @ body.T / max(body.shape[1], 1)  # each image counts the same, whatever its size
    directions = torch.linalg.eigh(second).eigenvectors.flip(1)[:, :count].T.float()
    directions = directions * torch.where(directions.sum(1, keepdim=True) < 0, -1.0, 1.0)  # the sign is free: fix it
    return [torch.einsum("pc,cijk->pijk", directions, values) for values in features]

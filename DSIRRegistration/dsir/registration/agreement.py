"""How far two described images agree over the fixed body, and how much of it the other one shows."""

from __future__ import annotations

import torch

from ..geometry.sampling import affine_grid, sample
from ..transforms.field import DisplacementField
from .normal import SLAB
from .working_grid import FeatureMap

SHORTEST = 0.5
"""Length below which a vector that was read between voxels is not taken as if it were 1: its neighbours say little."""


def mean_cosine(target: FeatureMap, source: FeatureMap, field: DisplacementField | None) -> float:
    """Mean cosine over the fixed body; voxels without a counterpart count 0.

    A vector read between voxels is shorter than its neighbours, and one read at a voxel is not: each is taken by its
    own length, or whatever moves by less than a voxel would look worse for having moved.
    """
    if target.find is not None and source.find is not None:
        share, each = target.share, ((target.alone, source.alone), (target.found, source.found))
        detail, found = (mean_cosine(one, other, field) for one, other in each)
        return share * detail + (1 - share) * found
    index = affine_grid(target.lattice, source.lattice)
    if field is not None:
        index += field.on(target.lattice).to_index()
    total, planes = 0.0, max(1, SLAB // target.mask[0].numel())
    for start in range(0, target.mask.shape[0], planes):
        slab = slice(start, start + planes)
        product, square = torch.zeros_like(target.mask[slab]), torch.zeros_like(target.mask[slab])
        for a, b in zip(target.features[:, slab], sample(source.features, index[:, slab]), strict=True):
            other = b.float()
            product.addcmul_(a.float(), other)
            square.addcmul_(other, other)
        total += float((product / square.sqrt().clamp(min=SHORTEST) * target.mask[slab]).sum())
    return total / float(target.mask.sum().clamp(min=1e-6))


def covered_by(target: FeatureMap, source: FeatureMap) -> torch.Tensor:
    """(I, J, K) 0..1 on the fixed lattice: where the moving image has something to show."""
    return sample(source.reach[None], affine_grid(target.lattice, source.lattice))[0]

"""How far two described images agree over the fixed body, and how much of it the other one shows."""

from __future__ import annotations

import torch

from ..geometry.sampling import affine_grid, sample
from ..transforms.field import DisplacementField
from .normal import SLAB
from .working_grid import FeatureMap


def mean_cosine(target: FeatureMap, source: FeatureMap, field: DisplacementField | None) -> float:
    """Mean cosine over the fixed body; voxels without a counterpart count 0."""
    index = affine_grid(target.lattice, source.lattice)
    if field is not None:
        index += field.on(target.lattice).to_index()
    total, planes = 0.0, max(1, SLAB // target.mask[0].numel())
    for start in range(0, target.mask.shape[0], planes):
        slab = slice(start, start + planes)
        cosine = torch.zeros_like(target.mask[slab])
        for a, b in zip(target.features[:, slab], sample(source.features, index[:, slab]), strict=True):
            cosine.addcmul_(a.float(), b.float())
        total += float((cosine * target.mask[slab]).sum())
    return total / float(target.mask.sum().clamp(min=1e-6))


def covered_by(target: FeatureMap, source: FeatureMap) -> torch.Tensor:
    """(I, J, K) 0..1 on the fixed lattice: where the moving image has something to show."""
    return sample(source.reach[None], affine_grid(target.lattice, source.lattice))[0]

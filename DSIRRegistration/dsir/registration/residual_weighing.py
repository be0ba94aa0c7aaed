"""Generalised least squares: directions of descriptor space that this pair does not agree in count less.

The residual r = F - M at the current mapping is the pair's own noise. Averaged over a few voxels, since a field follows
no finer detail, it has the covariance S over the body; descriptors multiplied by (S + 0.05 tr(S)/C 1)^(-1/2) leave
residuals that are alike in all directions, and least squares on them is the best linear estimate (Aitken 1935).

It does not pay everywhere. Probably where the noise is structure that one scan lacks (contrast gone between muscle and
fat), S names the signal itself and weighing makes things worse, whether one covariance speaks for all or each region
has its own (measured: Docs/measurements/solver.md). Two things tell these pairs apart, and both are asked where it
costs least, on the coarsest level once its own steps are done. Noise that is weighed away no longer bends the field:
one weighed step lowers the bending energy. And the residual over its curvature, a squared length, is no larger than
noise can make it: between two persons it is larger, since the anatomy itself differs.

Weighed residuals have a variance that means something: over the curvature it is the noise of one voxel's displacement,
in mm2, and the bending energy is a prior that must outweigh it. So a noisier pair is held stiffer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..geometry.sampling import affine_grid, gaussian_blur, sample
from .normal import SLAB, normal_equations, pooled
from .regularity import composed, safe_step
from .solver import Stiffness, laplacian, step
from .working_grid import FeatureMap

RIDGE = 0.05
"""Share of the mean variance that is added to every direction: a covariance of few voxels is not believed further."""

AVERAGED = 1.0
"""Standard deviation, in pairs of voxels, of the Gaussian that residuals are averaged with (half of it: head T1 1.50 mm
in the place of 1.46; none: 1.58)."""

WORTH = 0.93
"""Share of the bending energy that is left, at most, where a pair is weighed. Measured: 0.54 to 0.92 on six pairs that
gain, 0.94 to 0.97 on six that do not."""

LARGEST_DEVIATION = 18.0
"""mm: largest root of weighed residual over curvature that noise alone makes, and where a pair is weighed. Measured: 7
to 17 on pairs of one person or one average, 17 and 20 between two persons, whose Dice falls with weighing."""


NOISE = 60.0
"""mm2 of weighed residual over curvature up to which the levels' own stiffness is right; beyond, it grows with it (43
and 51 on pairs that threefold stiffness harms, 177 to 289 on pairs it helps or leaves alone)."""

STIFFEST = 3.0
"""Largest factor of the stiffness; more was not measured."""


@dataclass(frozen=True, eq=False)
class PairNoise:
    """What a pair's own residuals say of it.

    Attributes:
        weights: (C, C) by which both images' descriptors are to be multiplied.
        variance: weighed residual over curvature, mm2.
        worth: whether weighing by it gains something.
    """

    weights: torch.Tensor
    variance: float
    worth: bool = True

    @property
    def one_anatomy(self) -> bool:
        """Whether noise alone can make the residual, as between two scans of one person."""
        return self.variance <= LARGEST_DEVIATION**2

    def stiffened(self, stiffness: Stiffness) -> Stiffness:
        """The stiffness for this noise."""
        return replace(stiffness, bending=stiffness.bending * min(STIFFEST, max(1.0, self.variance / NOISE)))


def noise_of_pair(
    fixed: FeatureMap, moving: FeatureMap, u: torch.Tensor, robust: float, stiffness: Stiffness
) -> PairNoise:
    """The pair's noise, and whether weighing by it gains anything.

    Args:
        fixed, moving: on lattices of the same spacing and directions.
        u: (3, I, J, K) voxels: the mapping that unweighed steps ended at.
        robust, stiffness: of the level.
    """
    weights = residual_weights(fixed, moving, u, robust)
    index = affine_grid(fixed.lattice, moving.lattice) + u
    equations = normal_equations(
        fixed.features, moving.features, moving.reach, fixed.mask, index, robust=robust, weights=weights
    )
    curvature = float(equations.matrix[:3].sum() / 3 / fixed.mask.sum().clamp(min=1e-6))
    variance = equations.cost * float(fixed.lattice.spacing[0]) ** 2 / max(curvature, 1e-12)
    noise = PairNoise(weights, variance, worth=False)
    if not noise.one_anatomy:
        return noise
    tried = composed(u, safe_step(step(equations, u, fixed.mask, stiffness)))
    return replace(noise, worth=bending_energy(tried) < WORTH * bending_energy(u))


def residual_weights(fixed: FeatureMap, moving: FeatureMap, u: torch.Tensor, robust: float) -> torch.Tensor:
    """(C, C) the weights of this pair at the mapping ``u``; the mean square residual stays what it is."""
    raw, averaged = residual_covariances(fixed, moving, u, robust)
    return whitening(raw, averaged)


def whitening(raw: torch.Tensor, averaged: torch.Tensor) -> torch.Tensor:
    """(C, C) symmetric W ~ (averaged + ridge)^(-1/2), scaled so that tr(W raw W) = tr(raw)."""
    ridge = RIDGE * averaged.trace() / len(averaged) + 1e-12
    values, vectors = torch.linalg.eigh(averaged.double() + ridge * torch.eye(len(averaged), dtype=torch.float64))
    weights = (vectors * values.rsqrt()) @ vectors.T
    after = torch.einsum("ij,jk,ik->", weights, raw.double(), weights)
    return (weights * (raw.trace() / after.clamp(min=1e-12)).sqrt()).float()


def residual_covariances(
    fixed: FeatureMap, moving: FeatureMap, u: torch.Tensor, robust: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Covariances (C, C) of r = F - M over the fixed body: voxel by voxel, and averaged over a few voxels.

    Each voxel counts as in the normal equations: by the mask, the field of view and its robust weight. Residuals are
    averaged over pairs of voxels slab by slab, so that no volume of residuals is ever held.
    """
    index = affine_grid(fixed.lattice, moving.lattice) + u
    inside = sample(moving.reach[None], index)[0].mul_(fixed.mask)
    raw = torch.zeros(len(fixed.features), len(fixed.features))
    means, counts, total = [], [], 0.0
    planes = 2 * max(1, SLAB // (2 * inside[0].numel()))
    for start in range(0, len(inside), planes):
        at = slice(start, start + planes)
        residual = fixed.features[:, at].float() - sample(moving.features, index[:, at], padding="border").float()
        weight = inside[at] / residual.square().sum(0).div_(robust).add_(1).square_()
        flat = residual.flatten(1)
        raw.addmm_(flat * weight.flatten(), flat.T)
        total += float(weight.sum())
        means.append(pooled(residual, 2))
        counts.append(pooled(weight[None], 2)[0])
    residual, weight = gaussian_blur(torch.cat(means, 1), AVERAGED).flatten(1), torch.cat(counts).flatten()
    return raw / max(total, 1e-6), (residual * weight) @ residual.T / weight.sum().clamp(min=1e-6)


def bending_energy(u: torch.Tensor) -> float:
    """Mean squared Laplacian of a displacement in voxels."""
    return float(laplacian(u).square().mean())

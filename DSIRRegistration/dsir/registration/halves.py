"""Do two halves of what describes the scans, each by itself, put the body in the same place?

Where blurred scans or too different contrasts leave little to match, a descent still ends somewhere, and neither the
similarity nor mutual information tells that it could as well have ended elsewhere. Two halves of the descriptors'
channels are two witnesses of the same scans: from the result each descends by itself, on the coarsest level, and what
lies between the two is a measure of what the scans leave open, as between halves of any sample.
"""

from __future__ import annotations

from dataclasses import replace

from ..transforms.field import DisplacementField
from .agreement import SHORTEST
from .descent import Level, descend
from .findings import Finding
from .reasons import reason
from .solver import Stiffness
from .working_grid import FeatureMap

LEVEL = Level(scale=2.0, iterations=6, relaxation=1.0, stiffness=Stiffness(bending=10.0))
"""As the default's coarsest, which takes a twentieth of its time for both halves."""

APART = 1.2
"""Voxels of that level, over the root of the number of channels (as halves of any sample differ by), between the two in
the mean over the body, from which one has to look: 0.8 mm for a head by the default, 2.1 mm by ``fast`` with its twelve
channels. Drawn between the first deformation of each of eight pairs by the default (right ones 0.6 to 0.8, averaged
heads in CT and MR 1.8 and 2.0) and checked on others (Docs/measurements/verdict.md)."""

WITHIN = 3.0
"""mm of mean error from which a result is no longer called right (Testing/benchmarks/verdict_truth.py)."""


def judged_by_halves(fixed: FeatureMap, moving: FeatureMap, field: DisplacementField) -> list[Finding]:
    """What a deformation is worth by two halves of the channels.

    Args:
        fixed, moving: on the working grid, the moving one in the pose of the linear stage.
        field: fixed space to that.
    """
    apart, voxel = between_halves(fixed, moving, field), LEVEL.scale * float(fixed.lattice.spacing[0])
    if apart <= APART * voxel / fixed.channels**0.5:
        return []
    return [reason("halves_differ", "CHECK", {"apart_mm": apart, "within_mm": WITHIN})]


def between_halves(fixed: FeatureMap, moving: FeatureMap, field: DisplacementField) -> float:
    """mm, in the mean over the fixed body, between where two halves of the channels lead from ``field``."""
    working = float(fixed.lattice.spacing[0])
    target, source = (image.on(LEVEL.scale * working) for image in (fixed, moving))
    level = replace(LEVEL, stiffness=LEVEL.stiffness.on(working))
    start = field.on(target.lattice).to_index()
    one, other = (descend(_half(target, n), _half(source, n), start.clone(), level)[0] for n in (0, 1))
    apart = (one - other).norm(dim=0) * float(target.lattice.spacing[0])
    return float((apart * target.mask).sum() / target.mask.sum().clamp(min=1e-6))


def _half(image: FeatureMap, first: int) -> FeatureMap:
    """Every second channel, at length 1: neighbours are of one kind, so that either half has some of each."""
    half = image.features[first::2].float()
    lengths = half.norm(dim=0, keepdim=True).clamp(min=SHORTEST * 0.5**0.5)
    return replace(image, features=half / lengths)

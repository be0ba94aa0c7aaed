"""Structures that must not deform: each moves as a whole, the rest follows softly (Little, Hill and Hawkes, Computer
Vision and Image Understanding 66(2), 223-232, 1997)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import DsirError
from ..geometry.lattice import Lattice
from ..shapes.structure import Structure
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.jacobian import fold_report
from ..transforms.linear import Linear
from ..transforms.rigid_fit import rigid_fit
from ..warp.labels import signed_distance
from ..warp.points import moving_to_fixed
from ..warp.pullback import inner_points, read_shape

TRANSITIONS = (10.0, 15.0, 20.0, 30.0, 45.0)
"""mm over which rigid motion goes over into the deformation; the first that adds no fold is taken."""

GRID = 2.0
"""mm between the points of the combined field, unless the fixed scan is coarser."""


@dataclass(frozen=True, eq=False)
class RigidResult:
    """A transform in which some structures move rigidly.

    Attributes:
        transform: fixed to moving, one field.
        transition_mm: the width of the transition.
        given_up_mm: name to the largest distance (mm) between the rigid motion and the deformation it replaces.
        smallest_jacobian: of the combined field, over nine stencils.
    """

    transform: Transform
    transition_mm: float
    given_up_mm: dict[str, float]
    smallest_jacobian: float


def keep_rigid(structures: Sequence[Structure], transform: Transform, fixed: Lattice) -> RigidResult:
    """Replace the deformation inside structures by the rigid motion nearest to it.

    Around each structure a weight falls smoothly from 1 (in it and one voxel around, so that trilinear reading is
    rigid up to the surface) to 0. Where two transitions meet, the nearer structure has the larger share.

    Args:
        structures: drawn on the moving scan.
        transform: fixed to moving.

    Raises:
        DsirError: a structure is empty or lies outside the fixed scan, two overlap, or every transition adds folds.
    """
    fixed = fixed.with_spacing(np.maximum(fixed.spacing, GRID))
    given = transform.displacement(fixed)
    before = fold_report(given).folds
    motions, gaps, given_up = [], [], {}
    for structure in structures:
        motion, gap, lost = _motion(structure, transform, fixed)
        motions.append(DisplacementField.from_affine(motion.matrix, fixed).vectors)
        gaps.append(gap)
        given_up[structure.name] = lost
    if len(gaps) > 1 and bool((torch.stack(gaps) <= 0).sum(0).gt(1).any()):
        raise DsirError("Two of the rigid structures overlap; they cannot move differently. Join them or choose one.")
    for transition in TRANSITIONS:
        field = DisplacementField(_blend(given.vectors, motions, gaps, transition), fixed)
        report = fold_report(field)
        if report.folds <= before:
            return RigidResult(Transform((field,)), transition, given_up, report.smallest)
    raise DsirError(
        f"Keeping {', '.join(given_up)} rigid folds the space around it, even with a transition of "
        f"{TRANSITIONS[-1]:g} mm; the deformation there is too strong for it."
    )


def _motion(structure: Structure, transform: Transform, fixed: Lattice) -> tuple[Linear, torch.Tensor, float]:
    """Fixed to moving, the distance (I, J, K) mm of each fixed voxel from the structure so moved, and what is lost."""
    there = inner_points(structure)
    if not len(there):
        raise DsirError(f"{structure.name} is empty and cannot be kept rigid.")
    here, _ = moving_to_fixed(transform, there)
    if not fixed.contains(here).any():
        raise DsirError(f"{structure.name} lies outside the fixed scan and cannot be kept rigid.")
    motion = rigid_fit(here, there)
    lost = float(np.linalg.norm(motion.transform_points(here) - there, axis=1).max())
    inside = read_shape(structure, Transform((motion,)), fixed) > 0
    voxels = np.rint(fixed.to_index(motion.inverse().transform_points(there))).astype(int)
    voxels = voxels[((voxels >= 0) & (voxels < fixed.shape)).all(1)]
    inside[tuple(voxels.T)] = True  # structures slimmer than a voxel
    reach = TRANSITIONS[-1] + 2 * float(fixed.spacing.max())
    gap = -signed_distance(inside, fixed.spacing, reach) - 1.5 * float(fixed.spacing.max())
    return motion, gap, lost


def _blend(
    given: torch.Tensor, motions: Sequence[torch.Tensor], gaps: Sequence[torch.Tensor], transition: float
) -> torch.Tensor:
    weights = []
    for gap in gaps:
        t = (1 - gap / transition).clamp(0, 1)
        weights.append(t**3 * (10 - 15 * t + 6 * t**2))  # smooth to the second derivative
    total = torch.stack(weights).sum(0)
    crowded = torch.stack([w / (1 - w).clamp(min=1e-6) for w in weights])  # the nearer structure outweighs the other
    crowded = crowded / crowded.sum(0).clamp(min=1e-12)
    share = torch.where(total > 1, crowded, torch.stack(weights))
    out = (1 - share.sum(0)) * given
    for part, motion in zip(share, motions, strict=True):
        out = out + part * motion
    return out

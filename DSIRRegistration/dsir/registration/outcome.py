"""The outcome of a registration: the field that is kept, and the figures that support or contradict it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..geometry.lattice import Lattice
from ..geometry.mask_check import LUNG
from ..geometry.windows import is_ct
from ..messages import Message
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.jacobian import FoldReport, determinant, fold_report
from ..transforms.linear import Linear
from .agreement import mean_cosine
from .align import Alignment
from .boundary_fade import faded_at_boundary
from .evidence import ONCE, Evidence, deformation_helps, kept
from .handed_on import FeaturePair, FieldStart, Prepared, Start
from .landmark_forces import Pairs
from .prepared_image import PreparedImage
from .refinement import distances

GROWTH = 2.0
"""Percent by which one person's scans may differ in length before it is said."""

MOSTLY_LUNG = 0.1
"""Share of the body that is no lung, below which there is nothing else to tell its growth by."""

JUDGED_VOXELS = 400_000
"""Of the lattice on which a deformation is judged, at most."""

LOW_SIMILARITY = 0.15
"""Mean cosine below which nothing was matched (unrelated scans reach about 0.1, our measurement)."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The field that is kept and its figures.

    Attributes:
        residual: fixed space to linearly aligned moving space, faded at its boundary.
        similarity: mean cosine in the fixed mask: ``start``, ``linear``, ``end``.
        deformation: whether it was ``kept`` and, where the scans decided, the rise of mutual information
            (``information`` and its ``noise``, nats); ``volume``: of the body through the whole mapping, of a CT
            without the lungs, 1 where it stays as large; ``affine``: mean cosine with the nearest affine mapping in the
            place of the deformation, where no linear part was asked for; ``shift_mm``: of the body as a whole, by the
            deformation alone.
        warnings: one sentence each.
    """

    residual: DisplacementField
    similarity: dict[str, float]
    folds: FoldReport
    deformation: dict[str, Any]
    warnings: tuple[str, ...]

    def transform(self, linear: Linear, initial: Transform | None) -> Transform:
        """Fixed to moving, everything included."""
        field = (self.residual,) if bool(self.residual.vectors.any()) else ()
        return Transform((*field, *(() if linear.is_identity else (linear,)), *(initial.parts if initial else ())))


def finish(
    prepared: Prepared,
    features: FeaturePair,
    alignment: Alignment,
    begun: FieldStart,
    start: Start,
    field: DisplacementField,
) -> Outcome:
    """Fade the field at its boundary, keep it only if it is worth it, and say what must be known of it."""
    lattice, settings = features.lattice, prepared.settings
    deformed = bool(field.vectors.any())
    residual = faded_at_boundary(field, spacing=max(2 * float(lattice.spacing[0]), 3.0)) if deformed else field
    # Undoing the linear part is a mapping too, so the start is measured on the very same descriptors.
    undone = DisplacementField.from_affine(np.linalg.inv(alignment.matrix), lattice)
    before, linear, end = (mean_cosine(features.fixed, features.moving, f) for f in (undone, None, residual))
    warnings, evidence = list(begun.warnings), None
    lengths: tuple[float, ...] = _lengths(features.fixed.mask, lattice, residual) if deformed else ()
    if deformed and begun.forces is None and end < linear:
        # The search found nothing better than the linear alignment: that is then the honest answer.
        warnings.append(Message("similarity_not_raised"))
        deformed = False
    elif deformed and begun.forces is None and start.known is None and settings.deformable is None:
        evidence = _evidence(prepared, features, residual)
        if not kept(evidence, linear, end, slight=lengths[1] < float(lattice.spacing[0])):
            warnings.append(Message("no_evidence"))
            deformed = False
    refused: tuple[float, ...] = ()
    if not deformed and bool(residual.vectors.any()):
        refused = lengths
        residual, end = DisplacementField.identity(residual.lattice), linear
    volume = _volume(prepared, features, residual, alignment)
    warnings += _grown(settings.same_person, alignment, features.centre, volume)
    if features.coverage < 0.98:
        warnings.append(Message("outside_field_of_view", percent=100 * (1 - features.coverage)))
    if end < LOW_SIMILARITY:
        warnings.append(Message("low_similarity", similarity=end))
    similarity = {"start": before, "linear": linear, "end": end}
    deformation: dict[str, Any] = {"kept": deformed, "volume": volume}
    if deformed:
        deformation["shift_mm"] = _shift(features.fixed.mask, lattice, residual)
    if refused:
        deformation["refused_mm"] = {"mean": refused[0], "p99": refused[1]}
    if deformed and settings.linear.model == "none":
        nearest = _nearest_affine(features.fixed.mask, lattice, residual)
        deformation["affine"] = mean_cosine(features.fixed, features.moving, nearest)
    if evidence is not None and evidence.known:
        deformation |= {"information": evidence.rise, "noise": evidence.noise}
        deformation |= {"confirmed": evidence.beyond(ONCE)} if deformed else {}
    return Outcome(residual, similarity, fold_report(residual), deformation, tuple(warnings))


def _evidence(prepared: Prepared, features: FeaturePair, residual: DisplacementField) -> Evidence:
    """What speaks for the deformation that took no part in making it."""
    coarser = float(features.lattice.extent.prod() / JUDGED_VOXELS) ** (1 / 3)
    lattice = features.lattice.with_spacing(max(float(features.lattice.spacing[0]), coarser))
    return deformation_helps(
        prepared.fixed,
        prepared.moving,
        prepared.fixed_mask,
        prepared.moving_mask,
        lattice,
        features.pose,
        Transform((residual, *features.pose.parts)),
    )


def _points_within(mask: torch.Tensor, lattice: Lattice, count: int) -> np.ndarray:
    """(N, 3) RAS mm: about so many voxels of a body (I, J, K), evenly drawn; all where there are fewer."""
    at = torch.nonzero(mask > 0.5)
    return lattice.to_world(at[:: max(1, len(at) // count)].numpy())


def _lengths(mask: torch.Tensor, lattice: Lattice, field: DisplacementField) -> tuple[float, float]:
    """mm, of a field's vectors over a body (I, J, K): their mean, and what one in a hundred is longer than."""
    lengths = np.linalg.norm(field.at(_points_within(mask, lattice, 20_000)), axis=1)
    return float(lengths.mean()), float(np.percentile(lengths, 99))


def _shift(mask: torch.Tensor, lattice: Lattice, field: DisplacementField) -> float:
    """mm by which a field shifts a body (I, J, K) as a whole."""
    return float(np.linalg.norm(field.at(_points_within(mask, lattice, 5000)).mean(0)))


def _nearest_affine(mask: torch.Tensor, lattice: Lattice, field: DisplacementField) -> DisplacementField:
    """The affine mapping with the least square distance from a field over a body (I, J, K)."""
    points = _points_within(mask, lattice, 5000)
    matrix = np.eye(4)
    matrix[:3] = np.linalg.lstsq(np.c_[points, np.ones(len(points))], points + field.at(points), rcond=None)[0].T
    return DisplacementField.from_affine(matrix, lattice)


def _volume(prepared: Prepared, features: FeaturePair, residual: DisplacementField, alignment: Alignment) -> float:
    """The moving body's volume in units of the fixed one's, through the whole mapping; lungs breathe and do not count.

    Measured between two visits: the whole trunk +9 %, without the lungs +4 %, its mass by Hounsfield units +1 %.
    """
    mask = features.fixed.mask
    if is_ct(prepared.fixed.data.numpy()):
        still = PreparedImage.of(prepared.fixed, prepared.fixed_mask, float(features.lattice.spacing[0]))
        tissue = mask * (still.on(features.lattice, Transform())[0] > LUNG[1])
        mask = tissue if tissue.sum() > MOSTLY_LUNG * mask.sum() else mask
    local = float((determinant(residual.on(features.lattice)) * mask).sum() / mask.sum().clamp(min=1e-6))
    return local * float(np.linalg.det(alignment.matrix[:3, :3]))


def _grown(same_person: bool | None, alignment: Alignment, centre: np.ndarray, volume: float) -> list[str]:
    """A sentence where one person seems to have grown between two scans."""
    if not same_person:
        return []
    scale = Linear(alignment.matrix).amounts(centre)["scale_percent"]
    if abs(scale) > GROWTH:
        return [Message("scaled", percent=scale)]
    if abs(volume - 1) > 3 * GROWTH / 100:
        return [Message("volume_changed", percent=100 * (volume - 1))]
    return []


def landmark_distances(start: Start, end: Transform) -> dict[str, Any] | None:
    """How far the pairs are apart in mm, before (as they lay, or by the user's start) and after."""
    pairs: Pairs | None = start.landmarks
    if pairs is None or len(pairs) == 0:
        return None
    found: dict[str, Any] = {"count": len(pairs)}
    for name, transform in (("before", start.refine or start.initial or Transform()), ("after", end)):
        apart = distances(transform, pairs)
        found[name] = {"mean_mm": float(apart.mean()), "largest_mm": float(apart.max())}
    return found

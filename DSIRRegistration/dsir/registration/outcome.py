"""What came of a registration: the field that is kept, and the figures that speak for or against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.jacobian import FoldReport, fold_report
from ..transforms.linear import Linear
from .agreement import mean_cosine
from .align import Alignment
from .boundary_fade import faded_at_boundary
from .landmark_forces import Pairs
from .refinement import distances
from .stages import FeaturePair, FieldStart, Start

LOW_SIMILARITY = 0.15
"""Mean cosine below which nothing was matched (unrelated scans reach about 0.1, our measurement)."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The field that is kept and its figures.

    Attributes:
        residual: fixed space to linearly aligned moving space, faded at its boundary.
        similarity: mean cosine in the fixed mask: ``start``, ``linear``, ``end``.
        warnings: one sentence each.
    """

    residual: DisplacementField
    similarity: dict[str, float]
    folds: FoldReport
    warnings: tuple[str, ...]

    def transform(self, linear: Linear, initial: Transform | None) -> Transform:
        """Fixed to moving, everything included."""
        parts = (self.residual,) if linear.is_identity else (self.residual, linear)
        return Transform((*parts, *(initial.parts if initial else ())))


def finish(features: FeaturePair, alignment: Alignment, begun: FieldStart, field: DisplacementField) -> Outcome:
    """Fade the field at its boundary, keep it only if it raised the similarity, and say what must be known of it."""
    lattice = features.lattice
    residual = faded_at_boundary(field, spacing=max(2 * float(lattice.spacing[0]), 3.0))
    # Undoing the linear part is a mapping too, so the start is measured on the very same descriptors.
    undone = DisplacementField.from_affine(np.linalg.inv(alignment.matrix), lattice)
    start, linear, end = (mean_cosine(features.fixed, features.moving, f) for f in (undone, None, residual))
    warnings = list(begun.warnings)
    if end < linear and begun.forces is None:
        # The search found nothing better than the linear alignment: that is then the honest answer.
        warnings.append("The deformable stages did not raise the similarity; only the linear alignment is kept.")
        residual, end = DisplacementField.identity(residual.lattice), linear
    if features.coverage < 0.98:
        warnings.append(
            f"{100 * (1 - features.coverage):.0f} % of the fixed body lies outside the moving image's field of view; "
            "there the field fades to the linear alignment and must not be trusted."
        )
    if end < LOW_SIMILARITY:
        warnings.append(
            f"The similarity after registration is only {end:.2f}: the registration has probably failed. "
            "Check that both scans show the same region, or give an initial transform."
        )
    similarity = {"start": start, "linear": linear, "end": end}
    return Outcome(residual, similarity, fold_report(residual), tuple(warnings))


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

"""How far a transform is from what a case knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from dsir.evaluation.cases import Case, LabelMap
from dsir.metrics.overlap import label_scores, landmark_error
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import determinant, fold_report


def score(case: Case, mapping: DisplacementField | Transform) -> dict[str, Any]:
    """Measure a fixed-to-moving mapping; JSON-ready, a figure is there only where the case knows the answer.

    Returns:
        ``epe_mean``, ``epe_p95`` (mm, end-point error inside the body); ``dice_mean``, ``dice`` by label;
        ``hd95_mean``, ``hd95`` by label (mm, None where the label vanished); ``tre_mean``, ``tre_worst30`` (mean of the
        worst 30 %), ``tre_max`` (mm); ``folds`` (voxels of the whole lattice with det J <= 0 by central differences or
        any of the eight one-sided stencils), ``folds_body`` (those inside the body), ``folds_central`` (central
        differences alone), ``smallest_jacobian``, ``sd_log_j`` (whole lattice).
    """
    transform = Transform((mapping,)) if isinstance(mapping, DisplacementField) else mapping
    field = transform.displacement(case.fixed.lattice)
    out = _regularity(case, field)
    if case.truth is not None:
        error = (field.vectors - case.truth.vectors).norm(dim=0)[case.body]
        out |= {"epe_mean": float(error.mean()), "epe_p95": float(np.quantile(error.numpy(), 0.95))}
    if case.fixed_labels is not None and case.moving_labels is not None:
        warped = case.moving_labels.warped(transform, case.fixed_labels.lattice)
        out |= _overlap(case.fixed_labels, warped, set(case.moving_labels.values))
    if case.fixed_landmarks is not None and case.moving_landmarks is not None:
        left = landmark_error(transform, case.fixed_landmarks, case.moving_landmarks)
        out |= {"tre_mean": left.mean, "tre_worst30": left.worst30, "tre_max": left.largest}
    return out


def identity_score(case: Case) -> dict[str, Any]:
    """What the pair scores when nothing is done but its own ``start``."""
    field = DisplacementField.identity(case.fixed.lattice)
    if case.start is None:
        return score(case, field)
    shift = torch.as_tensor(case.start, dtype=torch.float32).view(3, 1, 1, 1)
    return score(case, DisplacementField(field.vectors + shift, case.fixed.lattice))


def _regularity(case: Case, field: DisplacementField) -> dict[str, Any]:
    everywhere, inside = fold_report(field), fold_report(field, case.body)
    return {
        "folds": everywhere.folds,
        "folds_body": inside.folds,
        "folds_central": int((determinant(field) <= 0).sum()),
        "smallest_jacobian": everywhere.smallest,
        "sd_log_j": everywhere.sd_log_j,
    }


def _overlap(fixed: LabelMap, warped: LabelMap, given: set[int]) -> dict[str, Any]:
    """Dice and HD95 of the labels that both sides were given."""
    scores = label_scores(fixed.data, warped.data, fixed.lattice)
    both = {value: scores[value] for value in sorted(set(fixed.values) & given)}
    distances = [found.hd95_mm for found in both.values() if found.hd95_mm is not None]
    return {
        "dice_mean": float(np.mean([found.dice for found in both.values()])) if both else None,
        "hd95_mean": float(np.mean(distances)) if distances else None,
        "dice": {value: found.dice for value, found in both.items()},
        "hd95": {value: found.hd95_mm for value, found in both.items()},
    }

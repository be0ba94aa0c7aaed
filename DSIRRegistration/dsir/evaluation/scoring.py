"""How far a transform is from what a case knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import ndimage

from ..field import DisplacementField
from ..jacobian import determinant, fold_report
from ..transform import Transform
from .cases import Case, LabelMap, warp_labels


def score(case: Case, mapping: DisplacementField | Transform) -> dict[str, Any]:
    """Measure a fixed-to-moving mapping; JSON-ready, a figure is there only where the case knows the answer.

    Returns:
        ``epe_mean``, ``epe_p95`` (mm, end-point error inside the body); ``dice_mean``, ``dice`` by label;
        ``hd95_mean``, ``hd95`` by label (mm); ``tre_mean``, ``tre_worst30`` (mean of the worst 30 %), ``tre_max`` (mm);
        ``folds`` (voxels with det J <= 0 by central differences or any of the eight one-sided stencils, whole lattice),
        ``folds_central`` (central differences alone), ``smallest_jacobian``, ``sd_log_j``.
    """
    lattice = case.fixed.lattice
    field = mapping.on(lattice) if isinstance(mapping, DisplacementField) else mapping.displacement(lattice)
    report = fold_report(field)
    out: dict[str, Any] = {
        "folds": report.folds,
        "folds_central": int((determinant(field) <= 0).sum()),
        "smallest_jacobian": report.smallest,
        "sd_log_j": report.sd_log_j,
    }
    if case.truth is not None:
        error = (field.vectors - case.truth.vectors).norm(dim=0)[case.body]
        out |= {"epe_mean": float(error.mean()), "epe_p95": float(np.quantile(error.numpy(), 0.95))}
    if case.fixed_labels is not None and case.moving_labels is not None:
        labels_field = mapping if isinstance(mapping, DisplacementField) else field
        warped = warp_labels(case.moving_labels, labels_field.on(case.fixed_labels.lattice))
        out |= _overlap(case.fixed_labels, warped, case.moving_labels)
    if case.fixed_landmarks is not None and case.moving_landmarks is not None:
        distance = np.linalg.norm(mapping.transform_points(case.fixed_landmarks) - case.moving_landmarks, axis=1)
        worst = np.sort(distance)[-max(round(0.3 * len(distance)), 1) :]
        out |= {
            "tre_mean": float(distance.mean()),
            "tre_worst30": float(worst.mean()),
            "tre_max": float(distance.max()),
        }
    return out


def _overlap(fixed: LabelMap, warped: LabelMap, moving: LabelMap) -> dict[str, Any]:
    """Dice and HD95 of the labels both sides were given; one that vanished counts as Dice 0, HD95 None."""
    dice, hd95 = {}, {}
    for value in sorted(set(fixed.values) & set(moving.values)):
        a, b = (fixed.data == value).numpy(), (warped.data == value).numpy()
        dice[value] = 2 * float((a & b).sum()) / float(a.sum() + b.sum())
        hd95[value] = _hausdorff95(a, b, fixed.lattice.spacing) if b.any() else None
    found = [distance for distance in hd95.values() if distance is not None]
    return {
        "dice_mean": float(np.mean(list(dice.values()))) if dice else None,
        "hd95_mean": float(np.mean(found)) if found else None,
        "dice": dice,
        "hd95": hd95,
    }


def _hausdorff95(a: np.ndarray, b: np.ndarray, spacing: np.ndarray) -> float:
    """The larger of the two 95th percentiles of surface-to-surface distances in mm (Learn2Reg takes the same)."""
    box = ndimage.find_objects((a | b).astype(np.uint8))[0]
    a, b = np.pad(a[box], 1), np.pad(b[box], 1)
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    distances = [ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
    return float(max(np.percentile(distances[1][surfaces[0]], 95), np.percentile(distances[0][surfaces[1]], 95)))


def identity_score(case: Case) -> dict[str, Any]:
    """What the pair scores when nothing is done but its own ``start``."""
    field = DisplacementField.identity(case.fixed.lattice)
    if case.start is None:
        return score(case, field)
    shift = torch.as_tensor(case.start, dtype=torch.float32).view(3, 1, 1, 1)
    return score(case, DisplacementField(field.vectors + shift, case.fixed.lattice))

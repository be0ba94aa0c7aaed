"""One transform against everything that is known about a pair, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ..errors import DsirError
from ..geometry.lattice import Lattice
from ..metrics.overlap import LabelScore, end_point_error, label_scores, landmark_error, worst_labels
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.jacobian import fold_report
from ..warp.labels import warp_labels

Labels = tuple[torch.Tensor, Lattice]
"""(I, J, K) whole numbers, 0 is background, and where they lie."""


def measure(
    transform: Transform,
    *,
    fixed_labels: Labels | None = None,
    moving_labels: Labels | None = None,
    landmarks: tuple[np.ndarray, np.ndarray] | None = None,
    truth: DisplacementField | None = None,
    truth_mask: torch.Tensor | None = None,
    names: Mapping[int, str] | None = None,
    tolerance_mm: float = 2.0,
) -> dict[str, Any]:
    """Measure a fixed-to-moving transform and, beside it, doing nothing.

    Args:
        landmarks: paired RAS points (N, 3) in fixed and in moving.
        truth: u(x) on the fixed lattice, where it is known; errors count in ``truth_mask`` (bool on its lattice).
        names: of the labels.
        tolerance_mm: of the surface Dice.

    Returns:
        JSON-ready: ``labels`` (by value: name, before, after), ``dice`` (means and worst 30 %), ``landmarks``,
        ``end_point_error`` (each before and after, mm), ``field`` (folds, SD log J); only what could be measured.

    Raises:
        DsirError: labels are given on one side only, or share no value.
    """
    if (fixed_labels is None) != (moving_labels is None):
        raise DsirError("Labels are compared between two scans: give them for fixed and for moving.")
    found: dict[str, Any] = {}
    sides = {"before": Transform(), "after": transform}
    if fixed_labels and moving_labels:
        found |= _labels(sides, fixed_labels, moving_labels, names or {}, tolerance_mm)
    if landmarks:
        found["landmarks"] = {side: asdict(landmark_error(mapping, *landmarks)) for side, mapping in sides.items()}
    if truth is not None:
        fields = {side: mapping.displacement(truth.lattice) for side, mapping in sides.items()}
        found["end_point_error"] = {
            side: asdict(end_point_error(field, truth, truth_mask)) for side, field in fields.items()
        }
    lattice = _lattice(transform, fixed_labels, truth)
    if lattice is not None:
        found["field"] = asdict(fold_report(transform.displacement(lattice)))
    return found


def _labels(
    sides: Mapping[str, Transform], fixed: Labels, moving: Labels, names: Mapping[int, str], tolerance: float
) -> dict[str, Any]:
    shared = sorted((set(fixed[0].unique().tolist()) & set(moving[0].unique().tolist())) - {0})
    if not shared:
        raise DsirError("The two label maps have no label in common.")
    keep = torch.tensor(shared, dtype=fixed[0].dtype)
    reference = torch.where(torch.isin(fixed[0], keep), fixed[0], 0)
    source = torch.where(torch.isin(moving[0], keep.to(moving[0].dtype)), moving[0], 0)
    scores: dict[str, dict[int, LabelScore]] = {}
    for side, mapping in sides.items():
        carried = warp_labels(source, moving[1], mapping, fixed[1]).labels
        scores[side] = label_scores(reference, carried, fixed[1], tolerance_mm=tolerance)
    return {
        "labels": {
            value: {"name": names.get(value, str(value))} | {side: asdict(scores[side][value]) for side in sides}
            for value in shared
        },
        "dice": {
            side: {
                "mean": float(np.mean([score.dice for score in found.values()])),
                "worst30": worst_labels(found),
            }
            for side, found in scores.items()
        },
    }


def _lattice(transform: Transform, labels: Labels | None, truth: DisplacementField | None) -> Lattice | None:
    """Where folds are counted: on the field's own voxels where there are such, which hides none of them."""
    fields = [part for part in transform.parts if isinstance(part, DisplacementField)]
    if fields:
        return fields[0].lattice
    return labels[1] if labels else truth.lattice if truth else None

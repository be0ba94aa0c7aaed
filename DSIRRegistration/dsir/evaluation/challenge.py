"""The figures of the Learn2Reg challenge, by the definitions of its evaluation script.

Sources: Hering et al., "Learn2Reg: comprehensive multi-task medical image registration challenge", IEEE TMI 2023, and
the organisers' ``evaluation.py`` (github.com/MDL-UzL/L2R, version 2.0). Where the script departs from what its names
say, both are given here: its distances between surfaces are in voxels (``hd95_voxels``; ours in mm beside), and its
SD log J is that of det J + 3 (``sd_log_j_script``; that of det J beside).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from ..geometry.lattice import Lattice
from ..metrics.overlap import mask_score
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.jacobian import determinant, fold_report

BORDER = 2
"""Voxels at each face that the script leaves out of the Jacobian."""


def index_displacement(transform: Transform, fixed: Lattice, moving: Lattice) -> np.ndarray:
    """(I, J, K, 3) float32 as in a submission: the voxels to go in moving from the voxel of the same index."""
    index = np.stack(np.meshgrid(*map(np.arange, fixed.shape), indexing="ij"), -1)
    world = fixed.to_world(index) + np.moveaxis(transform.displacement(fixed).vectors.double().numpy(), 0, -1)
    return (moving.to_index(world) - index).astype(np.float32)


def challenge_scores(
    displacement: np.ndarray,
    spacing: np.ndarray,
    *,
    fixed_labels: np.ndarray | None = None,
    moving_labels: np.ndarray | None = None,
    values: Sequence[int] = (),
    landmarks: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Score one displacement field.

    Args:
        displacement: (I, J, K, 3) in voxels: the fixed voxel p lies at p + u(p) in the moving image.
        spacing: (3,) mm, of the moving voxels.
        fixed_labels, moving_labels: (I, J, K) whole numbers.
        values: the labels that count; one that either scan lacks is left out of the means, as the script does.
        landmarks: (N, 3) voxel positions in fixed and in moving.

    Returns:
        ``dice``, ``hd95_mm``, ``hd95_voxels`` (means; with labels), the same ``_by_label`` (value to figure, None where
        a scan lacks it), ``tre_mm``, ``sd_log_j``, ``sd_log_j_script``, ``folds`` (det J <= 0 by central
        differences or any one-sided stencil, whole lattice) and ``folds_percent`` (central differences, border left
        out). A label that vanishes has no HD95 and scores Dice 0.
    """
    found: dict[str, Any] = _regularity(displacement, spacing)
    if fixed_labels is not None and moving_labels is not None:
        found |= _overlap(displacement, spacing, fixed_labels, moving_labels, values)
    if landmarks is not None:
        fixed, moving = landmarks
        there = fixed + np.stack([map_coordinates(displacement[..., axis], fixed.T) for axis in range(3)], -1)
        found["tre_mm"] = float(np.linalg.norm((there - moving) * spacing, axis=1).mean())
    return found


def _overlap(
    displacement: np.ndarray, spacing: np.ndarray, fixed: np.ndarray, moving: np.ndarray, values: Sequence[int]
) -> dict[str, Any]:
    index = np.stack(np.meshgrid(*map(np.arange, fixed.shape), indexing="ij"))
    warped = map_coordinates(moving, index + np.moveaxis(displacement, -1, 0), order=0)
    by_label: dict[str, dict[int, float | None]] = {"dice": {}, "hd95_mm": {}, "hd95_voxels": {}}
    for value in values:
        a, b = fixed == value, warped == value
        if not a.any() or not (moving == value).any():
            for column in by_label.values():
                column[value] = None
            continue
        in_mm, in_voxels = mask_score(a, b, spacing), mask_score(a, b, np.ones(3))
        by_label["dice"][value] = in_mm.dice
        by_label["hd95_mm"][value], by_label["hd95_voxels"][value] = in_mm.hd95_mm, in_voxels.hd95_mm
    found: dict[str, Any] = {f"{name}_by_label": column for name, column in by_label.items()}
    return found | {name: mean(list(column.values())) for name, column in by_label.items()}


def _regularity(displacement: np.ndarray, spacing: np.ndarray) -> dict[str, Any]:
    lattice = Lattice(displacement.shape[:3], np.diag([*map(float, spacing), 1.0]))
    field = DisplacementField.from_index(torch.from_numpy(np.moveaxis(displacement, -1, 0).copy()), lattice)
    strict = fold_report(field)
    inner = (slice(BORDER, -BORDER),) * 3
    determinants = determinant(field).numpy()[inner].astype(np.float64)
    return {
        "sd_log_j": float(np.log(np.clip(determinants, 1e-3, 1e3)).std()),
        "sd_log_j_script": float(np.log(np.clip(determinants + 3, 1e-9, 1e9)).std()),
        "folds": strict.folds,
        "folds_percent": 100 * float((determinants <= 0).mean()),
    }


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are there."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None

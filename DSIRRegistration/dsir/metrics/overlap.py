"""How good a registration is, by the definitions of Learn2Reg (Hering et al., IEEE TMI 2023).

Folds and the standard deviation of log J are in :mod:`dsir.transforms.jacobian`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from ..errors import DsirError
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField

WORST = 0.3
"""Learn2Reg's measure of robustness: the mean over the worst 30 %."""


@dataclass(frozen=True)
class LabelScore:
    """How two shapes of one label agree. Distances are None when one of them is empty.

    Attributes:
        dice: 2 |A and B| / (|A| + |B|), 0 to 1.
        hd95_mm: the larger of both directions' 95th percentile of surface distances, weighted by surface area.
        surface_distance_mm: mean distance between the surfaces, area-weighted, mean of both directions.
        surface_dice: share of both surfaces closer than the tolerance to the other (Nikolov et al., 2021).
        volume_ratio: the second's volume over the first's.
    """

    dice: float
    hd95_mm: float | None
    surface_distance_mm: float | None
    surface_dice: float
    volume_ratio: float


@dataclass(frozen=True)
class ErrorScore:
    """Distances in mm between where points were sent and where they belong.

    Attributes:
        mean, worst30, median, largest: mm; ``worst30`` is the mean of the worst 30 %.
        count: how many points.
    """

    mean: float
    worst30: float
    median: float
    largest: float
    count: int


def label_scores(
    fixed: torch.Tensor, warped: torch.Tensor, lattice: Lattice, *, tolerance_mm: float = 2.0
) -> dict[int, LabelScore]:
    """Score each label that either map holds (0 excepted); both (I, J, K) integers on ``lattice``.

    A label that one side lacks scores Dice 0 rather than being left out.
    """
    if tuple(fixed.shape) != lattice.shape or tuple(warped.shape) != lattice.shape:
        raise DsirError(
            f"The label maps do not fit each other: {tuple(fixed.shape)} and {tuple(warped.shape)} voxels on a grid of "
            f"{lattice.shape}; bring both to the fixed image's grid first."
        )
    a, b = fixed.cpu().numpy(), warped.cpu().numpy()
    values = sorted((set(np.unique(a).tolist()) | set(np.unique(b).tolist())) - {0})
    out = {}
    for value, box_a, box_b in zip(values, _boxes(a, values), _boxes(b, values), strict=True):
        box = _union(box_a, box_b)
        out[int(value)] = mask_score(a[box] == value, b[box] == value, lattice.spacing, tolerance_mm=tolerance_mm)
    return out


def mask_score(a: np.ndarray, b: np.ndarray, spacing: np.ndarray, *, tolerance_mm: float = 2.0) -> LabelScore:
    """Score one shape against another; bool (I, J, K), spacing in mm.

    Surfaces and their areas are those of DeepMind's ``surface-distance``, which Learn2Reg uses too.
    """
    size_a, size_b = int(a.sum()), int(b.sum())
    if not size_a or not size_b:
        same = size_a == size_b
        return LabelScore(float(same), None, None, float(same), 1.0 if same else float("inf") if size_b else 0.0)
    import surface_distance  # takes a while to load, and boxes and errors do without

    box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(a | b))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it calls scipy by its old names
        surfaces = surface_distance.compute_surface_distances(np.pad(a[box], 1), np.pad(b[box], 1), list(spacing))
    return LabelScore(
        dice=2 * float((a & b).sum()) / (size_a + size_b),
        hd95_mm=float(surface_distance.compute_robust_hausdorff(surfaces, 95)),
        surface_distance_mm=float(np.mean(surface_distance.compute_average_surface_distance(surfaces))),
        surface_dice=float(surface_distance.compute_surface_dice_at_tolerance(surfaces, tolerance_mm)),
        volume_ratio=size_b / size_a,
    )


def landmark_error(mapping: Transform | DisplacementField, fixed: np.ndarray, moving: np.ndarray) -> ErrorScore:
    """Target registration error: |T(fixed) - moving| of paired RAS points (N, 3)."""
    return summary(np.linalg.norm(mapping.transform_points(fixed) - np.asarray(moving), axis=1))


def end_point_error(found: DisplacementField, truth: DisplacementField, mask: torch.Tensor | None = None) -> ErrorScore:
    """|u_found - u_true| at the voxels of ``truth`` (in ``mask``, bool on its lattice)."""
    error = (found.on(truth.lattice).vectors - truth.vectors).norm(dim=0)
    chosen = error[mask] if mask is not None else error.flatten()
    if not chosen.numel():
        raise DsirError("The mask of the end-point error is empty.")
    return summary(chosen.double().cpu().numpy())


def summary(distances: np.ndarray) -> ErrorScore:
    """Mean, worst 30 %, median and maximum of distances (N,) in mm; at least one point is among the worst."""
    ordered = np.sort(np.asarray(distances, dtype=np.float64))
    worst = ordered[-max(1, round(WORST * len(ordered))) :]
    return ErrorScore(
        float(ordered.mean()), float(worst.mean()), float(np.median(ordered)), float(ordered[-1]), len(ordered)
    )


def worst_labels(scores: dict[int, LabelScore]) -> float:
    """Of one case: the mean Dice of the worst 30 % of its labels (not DSC30, a quantile over many pairs)."""
    ordered = np.sort([score.dice for score in scores.values()])
    return float(ordered[: max(1, round(WORST * len(ordered)))].mean())


def _boxes(labels: np.ndarray, values: list[int]) -> list[tuple[slice, ...] | None]:
    compact = np.where(labels > 0, np.searchsorted(values, labels) + 1, 0)
    return ndimage.find_objects(compact, max_label=len(values))


def _union(a: tuple[slice, ...] | None, b: tuple[slice, ...] | None) -> tuple[slice, ...]:
    if a is None or b is None:
        return a or b or ()
    return tuple(slice(min(x.start, y.start), max(x.stop, y.stop)) for x, y in zip(a, b, strict=True))

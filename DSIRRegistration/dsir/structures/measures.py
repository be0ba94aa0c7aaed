"""What happened to a structure on its way, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from ..geometry.lattice import Lattice
from ..geometry.sampling import sample
from ..shapes.structure import Structure
from ..similarity.surroundings import DIRECTIONS
from ..transforms.composite import Transform
from ..transforms.jacobian import determinant, fold_report
from ..transforms.rigid_fit import rigid_fit
from ..warp.pullback import Carried, inner_points
from .compare import compare
from .transform_confidence import TransformConfidence

PLACES, APART = 4, 0.15
"""Places along each axis of a voxel at which the shape is asked for its volume, at most; mm between them, at least."""

SPECK = 0.01
"""Share of a structure up to which a part of it is a speck: where it is thinner than a voxel, specks come off."""

SAMPLES, ASIDE_POINTS = 20_000, 2_000
"""Points inside a structure at which the transform is looked at, and which are moved aside; about."""


@dataclass(frozen=True)
class Measures:
    """One structure's figures; None where there is nothing to measure, as with volumes of points and curves.

    Attributes:
        volume_before_ml, volume_after_ml: of the continuous shapes.
        centroid_shift_mm: between the centroids of the drawn and the carried shape.
        displacement_min_mm, _mean_mm, _max_mm: |T(x) - x| inside the carried shape.
        deformation_mean_mm, _max_mm: what is left of it once the best rigid motion of the structure is taken off.
        jacobian_min, _mean, _max: det J inside; ``folds`` counts voxels with det J <= 0 by any stencil.
        outside_share: of the volume, beyond the fixed scan.
        pieces_before, pieces_after: connected parts of more than a hundredth of it.
        thickness_mm: twice the largest distance to the surface: how thick the shape is at its thickest.
        confidence_mean, confidence_low: of the confidence map inside; ``low`` is its 5th percentile.
        away_mm: mean distance, inside, to where the images' best match would put it.
        away_overlap: its Dice with itself when it is moved by so much; mean over 14 directions.
        dice, surface_dice, hd95_mm, surface_distance_mm: against the reference contours.
    """

    volume_before_ml: float | None = None
    volume_after_ml: float | None = None
    centroid_shift_mm: float | None = None
    displacement_min_mm: float | None = None
    displacement_mean_mm: float | None = None
    displacement_max_mm: float | None = None
    deformation_mean_mm: float | None = None
    deformation_max_mm: float | None = None
    jacobian_min: float | None = None
    jacobian_mean: float | None = None
    jacobian_max: float | None = None
    folds: int = 0
    outside_share: float = 0.0
    pieces_before: int | None = None
    pieces_after: int | None = None
    thickness_mm: float | None = None
    confidence_mean: float | None = None
    confidence_low: float | None = None
    away_mm: float | None = None
    away_overlap: float | None = None
    dice: float | None = None
    surface_dice: float | None = None
    hd95_mm: float | None = None
    surface_distance_mm: float | None = None


def measure(
    carried: Carried,
    transform: Transform,
    fixed: Lattice,
    *,
    confidence: TransformConfidence | None = None,
    reference: Structure | None = None,
    tolerance_mm: float = 2.0,
) -> Measures:
    """Measure one structure.

    Args:
        confidence: what the images say.
        reference: the same structure as somebody drew it on the fixed scan.
    """
    before, after = carried.source, carried.structure
    volume_before, centroid_before = volume(before)
    volume_after, centroid_after = volume(after)
    found, folds = along(inner_points(after, SAMPLES), transform, fixed, confidence=confidence)
    if found:
        found["centroid_shift_mm"] = float(np.linalg.norm(centroid_after - centroid_before))
    if "away_mm" in found:
        found["away_overlap"] = overlap_aside(after, found["away_mm"])
    if reference is not None:
        score = compare(after, reference, tolerance_mm)
        found |= {
            "dice": score.dice,
            "surface_dice": score.surface_dice,
            "hd95_mm": score.hd95_mm,
            "surface_distance_mm": score.surface_distance_mm,
        }
    return Measures(
        volume_before_ml=volume_before,
        volume_after_ml=volume_after,
        folds=folds,
        outside_share=carried.outside,
        pieces_before=pieces(before),
        pieces_after=pieces(after),
        thickness_mm=2 * float(before.distance.max().clamp(min=0)),
        **found,
    )


def along(
    points: np.ndarray, transform: Transform, fixed: Lattice, *, confidence: TransformConfidence | None = None
) -> tuple[dict[str, Any], int]:
    """What the transform does at fixed points (N, 3), and in how many of their voxels it folds; empty for no points."""
    if not len(points):
        return {}, 0
    moved = transform.transform_points(points)
    length = np.linalg.norm(moved - points, axis=1)
    left = np.linalg.norm(rigid_fit(points, moved).transform_points(points) - moved, axis=1)
    jacobian, folds = _jacobian(transform, fixed, points)
    found = {
        "displacement_min_mm": float(length.min()),
        "displacement_mean_mm": float(length.mean()),
        "displacement_max_mm": float(length.max()),
        "deformation_mean_mm": float(left.mean()),
        "deformation_max_mm": float(left.max()),
        "jacobian_min": float(jacobian.min()),
        "jacobian_mean": float(jacobian.mean()),
        "jacobian_max": float(jacobian.max()),
    }
    return found | (confidence.inside(points) if confidence is not None else {}), folds


def overlap_aside(structure: Structure, mm: float) -> float:
    """Dice of a shape with itself moved by so many mm, mean over :data:`DIRECTIONS`; 0 for an empty one.

    What a place that is 2 mm off means is a matter of shape: 0.98 for a liver, 0.5 for a chiasm.
    """
    points = inner_points(structure, ASIDE_POINTS)
    if not len(points):
        return 0.0
    moved = (points[:, None] + mm * DIRECTIONS).reshape(-1, 3)
    there = structure.lattice.contains(moved)
    index = torch.from_numpy(structure.lattice.to_index(moved[there]).T.reshape(3, 1, 1, -1)).float()
    inside = sample(structure.distance[None], index, padding="border") > 0
    return float(inside.sum()) / len(moved)


def pieces(structure: Structure) -> int:
    """Connected parts (by faces, edges and corners), specks left out."""
    parts, _ = ndimage.label((structure.distance > 0).numpy(), structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    return int((sizes > SPECK * sizes.sum()).sum())


def volume(structure: Structure) -> tuple[float, np.ndarray]:
    """ml and centroid (RAS mm) of the continuous shape: voxels its surface passes are asked at up to 64 places."""
    distance = structure.distance
    if structure.empty:
        return 0.0, np.full(3, np.nan)
    padded = torch.nn.functional.pad(distance[None, None], (1,) * 6, mode="replicate")
    most = torch.nn.functional.max_pool3d(padded, 3, stride=1)[0, 0]
    least = -torch.nn.functional.max_pool3d(-padded, 3, stride=1)[0, 0]
    whole = least > 0
    total, moment = float(whole.sum()), _index_sum(whole)
    mixed = ((most > 0) & ~whole).nonzero().numpy()
    counts = np.clip(np.ceil(structure.lattice.spacing / APART), 1, PLACES).astype(int)
    along_axes = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    offsets = np.stack(np.meshgrid(*along_axes, indexing="ij"), -1).reshape(-1, 3)
    for start in range(0, len(mixed), 20_000):
        index = (mixed[start : start + 20_000, None] + offsets).reshape(-1, 3)
        values = sample(distance[None], torch.from_numpy(index.T).float(), padding="border")[0]
        inside = (values > 0).numpy()
        total += inside.sum() / len(offsets)
        moment += index[inside].sum(0) / len(offsets)
    voxel = float(np.prod(structure.lattice.spacing)) / 1000
    return total * voxel, structure.lattice.to_world(moment / total) if total else np.full(3, np.nan)


def _index_sum(mask: torch.Tensor) -> np.ndarray:
    """(3,) sum of the voxel indices in a mask, without listing them."""
    along = [mask.sum((1, 2)), mask.sum((0, 2)), mask.sum((0, 1))]
    return np.array([float((counts.double() * torch.arange(len(counts))).sum()) for counts in along])


def _jacobian(transform: Transform, fixed: Lattice, points: np.ndarray) -> tuple[np.ndarray, int]:
    """det J at the fixed voxels that the points lie in, and how many of those voxels fold."""
    index = np.clip(np.rint(fixed.to_index(points)).astype(int), 0, np.array(fixed.shape) - 1)
    low, high = np.maximum(index.min(0) - 2, 0), np.minimum(index.max(0) + 3, fixed.shape)
    window = fixed.window(low, high - low)
    field = transform.displacement(window)
    mask = torch.zeros(window.shape, dtype=torch.bool)
    mask[tuple((index - low).T)] = True
    return determinant(field)[mask].numpy(), fold_report(field, mask).folds

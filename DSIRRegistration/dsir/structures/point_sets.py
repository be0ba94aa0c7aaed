"""Points of interest, curves and open surfaces: carried point by point, and measured without a volume."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial import cKDTree

from ..geometry.lattice import Lattice
from ..geometry.subgrids import divided, divisions
from ..shapes.structure import PointSet, Structure
from ..transforms.composite import Transform
from ..warp.points import moving_to_fixed
from .measures import Measures, along
from .transform_confidence import TransformConfidence

DOT = 1.5
"""mm: radius of a point in a picture, at least."""


@dataclass(frozen=True, eq=False)
class CarriedPointSet:
    """A point set on the fixed scan.

    Attributes:
        structure: the carried points.
        source: the points as they were drawn.
        outside: share of them that lie outside the fixed scan.
        missed: mm by which the inverse misses, at most.
    """

    structure: PointSet
    source: PointSet
    outside: float
    missed: float


def carry_point_set(point_set: PointSet, transform: Transform, fixed: Lattice) -> CarriedPointSet:
    """Through the inverse of a fixed-to-moving transform."""
    points, errors = moving_to_fixed(transform, point_set.points)
    outside = 1.0 - float(fixed.contains(points).mean())
    return CarriedPointSet(replace(point_set, points=points), point_set, outside, float(errors.max()))


def measure_point_set(
    carried: CarriedPointSet,
    transform: Transform,
    fixed: Lattice,
    *,
    confidence: TransformConfidence | None = None,
    reference: PointSet | None = None,
) -> Measures:
    """Measure one point set, with as many points of the reference compared in their order, others by the nearest."""
    points, before = carried.structure.points, carried.source.points
    found, folds = along(points[fixed.contains(points)], transform, fixed, confidence=confidence)
    if found:
        found["centroid_shift_mm"] = float(np.linalg.norm(points.mean(0) - before.mean(0)))
    if reference is not None:
        same = len(reference.points) == len(points)
        there = reference.points
        away = np.linalg.norm(there - points, axis=1) if same else cKDTree(there).query(points)[0]
        found |= {"surface_distance_mm": float(away.mean()), "hd95_mm": float(np.percentile(away, 95))}
    return Measures(folds=folds, outside_share=carried.outside, **found)


def dots(point_set: PointSet, fixed: Lattice) -> Structure | None:
    """A small ball about each point, to be drawn in pictures; None where none lies on the fixed scan."""
    points = point_set.points[fixed.contains(point_set.points)]
    if not len(points):
        return None
    radius = max(DOT, 0.6 * float(fixed.spacing[2]))
    index, margin = fixed.to_index(points), np.ceil(3 * radius / fixed.spacing)
    low = np.maximum(np.floor(index.min(0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(index.max(0) + margin) + 1, fixed.shape).astype(int)
    box = fixed.window(low, high - low)
    grid = divided(box, divisions(box.spacing, box.shape))
    places = grid.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1).reshape(-1, 3))
    away = cKDTree(points).query(places, distance_upper_bound=3 * radius)[0]
    distance = torch.from_numpy(radius - np.minimum(away, 3 * radius)).float().reshape(grid.shape)
    return Structure(point_set.name, distance, grid, point_set.number, point_set.colour)

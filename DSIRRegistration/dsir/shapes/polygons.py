"""Closed outlines on one slice: the region that they bound, by Shapely, and how far each pixel is from its border.

Coordinates are pixel indices (i, j); a pixel's centre is a whole number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage
from scipy.spatial import cKDTree

STEP = 0.25
"""Pixels: the border is cut into pieces no longer than this."""

EXACT = 3.0
"""Pixels from the border up to which the very nearest piece is sought (by a tree: Shapely tries every edge, which takes
0.9 s for one outline of 2,000 points)."""

SAME = 0.5
"""Pixels by which two outlines may differ in the mean and be one, drawn twice."""

ALIKE = 0.9
"""Share of their common area that two outlines must both hold to be one, drawn twice."""

NESTED = 0.98
"""Share of an outline's area that must lie within another one for it to be a hole (or an island) there."""


@dataclass(frozen=True, eq=False)
class Region:
    """What outlines bound together.

    Attributes:
        shape: a valid polygon or several, in pixels.
        doubled: outlines that were there already.
        overlapping: outlines that overlap others without lying within them.
        hollow: share of the outer outlines' area that holes take.
    """

    shape: shapely.Geometry
    doubled: int = 0
    overlapping: int = 0
    hollow: float = 0.0


def region(outlines: Sequence[np.ndarray], *, xor: bool = False) -> Region:
    """Several outlines (N, 2), each closed by itself, as one region.

    An outline that is drawn twice counts once. An outline within another one is a hole, one inside that an island, as
    treatment planning systems have it; a keyhole's channel, which runs there and back, bounds nothing. What outlines
    that cross each other have in common is inside.

    Args:
        xor: they are CLOSEDPLANAR_XOR (DICOM PS3.3 C.8.8.6.3): what an even number of them hold is outside.
    """
    shapes = [shape for shape in map(one_outline, outlines) if shape.area > 0]
    again = {b for a, b in _meeting(shapes) if _same(shapes[a], shapes[b])}
    once = [shape for n, shape in enumerate(shapes) if n not in again]
    doubled = len(shapes) - len(once)
    if xor:
        whole = shapely.Polygon()
        for shape in once:
            whole = _areas(shapely.symmetric_difference(whole, shape))
        return Region(whole, doubled)
    joined, overlapping = _join_overlapping(once)
    joined.sort(key=lambda shape: -shape.area)
    depth = np.zeros(len(joined), dtype=int)
    for a, b in _meeting(joined):
        depth[b] += _share_within(joined[b], joined[a]) >= NESTED
    whole = shapely.Polygon()
    for level in range(depth.max(initial=-1) + 1):
        layer = shapely.union_all([shape for shape, deep in zip(joined, depth, strict=True) if deep == level])
        whole = _areas(shapely.difference(whole, layer) if level % 2 else shapely.union(whole, layer))
    outer = sum(shape.area for shape, deep in zip(joined, depth, strict=True) if deep == 0)
    return Region(whole, doubled, overlapping, 1 - whole.area / outer if outer else 0.0)


def one_outline(outline: np.ndarray) -> shapely.Geometry:
    """The valid area (perhaps of several parts, or empty) of one outline (N, 2), which may touch or cross itself.

    What it goes round an even number of times is a hole, as a keyhole's is; but where the pen went on round the border
    that it had drawn already, what it goes round twice is inside.
    """
    if len(outline) < 3 or not np.isfinite(outline).all():
        return shapely.Polygon()
    drawn = shapely.Polygon(outline)
    if shapely.is_valid(drawn):
        return _areas(drawn)
    return _areas(shapely.union_all([shapely.make_valid(drawn), *_drawn_on(outline)]))


RETRACED = 0.4
"""Share of a part's border that must run along the outline's own for the part to be one that was gone round again; half
or more does where the pen went on, next to nothing where a hole was meant."""


def _drawn_on(outline: np.ndarray) -> list[shapely.Geometry]:
    """Parts that an outline goes round more than once because it goes on after it has met its beginning."""
    line = shapely.union_all([shapely.LinearRing(outline)])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(line)))
    turns = np.array([_turns(outline, shapely.get_coordinates(shapely.point_on_surface(face))[0]) for face in faces])
    if not (np.abs(turns) > 1).any():
        return []
    near = shapely.buffer(shapely.boundary(shapely.union_all(faces[turns != 0])), SAME)
    again = faces[(np.abs(turns) > 1) & (turns % 2 == 0)]
    along = np.array([shapely.length(shapely.intersection(shapely.boundary(face), near)) for face in again])
    return list(again[along > RETRACED * shapely.length(shapely.boundary(again))])


def _turns(outline: np.ndarray, point: np.ndarray) -> int:
    """How many times a closed outline goes round a point."""
    a = outline - point
    b = np.roll(a, -1, axis=0)
    angle = np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(1))
    return round(float(angle.sum() / (2 * np.pi)))


def inside(shape: shapely.Geometry, size: tuple[int, int], spacing: np.ndarray | None = None) -> np.ndarray:
    """(I, J) bool: whether each pixel's centre is inside.

    Args:
        spacing: (2,) mm of a pixel, where ``shape`` is in mm; pixels by default.
    """
    step = np.ones(2) if spacing is None else spacing
    i, j = np.meshgrid(np.arange(size[0]) * step[0], np.arange(size[1]) * step[1], indexing="ij")
    shapely.prepare(shape)
    return shapely.contains_xy(shape, i, j)


def signed_distance(shape: shapely.Geometry, size: tuple[int, int], spacing: np.ndarray, reach: float) -> np.ndarray:
    """(I, J) float32 mm to the border of the region: positive inside, clamped at ``reach``.

    Exact near the border; further off the distance to a place on it in the nearest pixel, which is right to a fraction
    of a pixel.

    Args:
        shape: in pixels.
        spacing: (2,) mm of a pixel along i and j.
    """
    shape = shapely.transform(shape, lambda points: points * spacing[:2])
    within = inside(shape, size, spacing)
    border = shapely.boundary(shape)
    starts, ends = _pieces(border, STEP * float(spacing[:2].min()))
    if not len(starts):
        return np.full(size, -reach, dtype=np.float32)
    middles = (starts + ends) / 2
    owner = np.full(size, -1)
    at = np.clip(np.rint(middles / spacing[:2]).astype(int), 0, np.array(size) - 1)
    owner[at[:, 0], at[:, 1]] = np.arange(len(middles))
    far, feature = ndimage.distance_transform_edt(owner < 0, spacing[:2], return_indices=True)
    distance = np.full(size, reach)
    row, column = np.nonzero(far <= reach + np.hypot(*spacing[:2]))
    pixels = np.stack([row, column], -1) * spacing[:2]
    nearest = owner[feature[0][row, column], feature[1][row, column]]
    found = _to_segment(pixels, starts[nearest], ends[nearest])
    close = far[row, column] < EXACT * spacing[:2].max()
    for choice in cKDTree(middles).query(pixels[close], k=[1, 2])[1].T:  # the second may be the one around the corner
        choice = np.minimum(choice, len(middles) - 1)
        found[close] = np.minimum(found[close], _to_segment(pixels[close], starts[choice], ends[choice]))
    distance[row, column] = np.minimum(found, reach)
    return np.where(within, distance, -distance).astype(np.float32)


def area(polygon: np.ndarray) -> float:
    """Signed area in pixels (shoelace); positive when anticlockwise in (i, j)."""
    x, y = polygon.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def contains(polygon: np.ndarray, point: np.ndarray) -> bool:
    """Whether a point lies inside one outline."""
    return bool(shapely.contains_xy(one_outline(polygon), *point))


def _areas(shape: shapely.Geometry) -> shapely.Geometry:
    """What of a geometry has an area: overlays leave lines and points where shapes touch."""
    parts = shapely.get_parts(shape)
    if (shapely.get_type_id(parts) == shapely.GeometryType.GEOMETRYCOLLECTION).any():
        parts = shapely.get_parts(parts)
    kept = parts[shapely.area(parts) > 0]
    return kept[0] if len(kept) == 1 else shapely.union_all(kept) if len(kept) else shapely.Polygon()


def _same(a: shapely.Geometry, b: shapely.Geometry) -> bool:
    """Whether two outlines are one, drawn twice, from whatever point and in whatever sense."""
    if min(a.area, b.area) < ALIKE * max(a.area, b.area):
        return False
    common = shapely.intersection(a, b).area
    differing = a.area + b.area - 2 * common
    return common >= ALIKE * (common + differing) and differing < SAME * max(a.length, b.length)


def _share_within(inner: shapely.Geometry, outer: shapely.Geometry) -> float:
    return shapely.intersection(inner, outer).area / inner.area


def _meeting(shapes: list[shapely.Geometry]) -> list[tuple[int, int]]:
    """Numbers (a, b), a < b, of shapes that have a point in common."""
    if len(shapes) < 2:
        return []
    return [(int(a), int(b)) for a, b in shapely.STRtree(shapes).query(shapes, predicate="intersects").T if a < b]


def _pieces(border: shapely.Geometry, step: float) -> tuple[np.ndarray, np.ndarray]:
    """A border cut into pieces of at most ``step``, as starts and ends (N, 2)."""
    lines = shapely.get_parts(shapely.segmentize(border, step))
    points, line = shapely.get_coordinates(lines, return_index=True)
    along = line[1:] == line[:-1]
    return points[:-1][along], points[1:][along]


def _to_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) distance of each point to its own segment."""
    along = b - a
    t = np.einsum("nd,nd->n", points - a, along) / np.maximum(np.einsum("nd,nd->n", along, along), 1e-20)
    return np.linalg.norm(points - a - np.clip(t, 0, 1)[:, None] * along, axis=1)


def _join_overlapping(shapes: list[shapely.Geometry]) -> tuple[list[shapely.Geometry], int]:
    """Outlines that cross each other become one; how many did."""
    group = list(range(len(shapes)))
    for a, b in _meeting(shapes):
        if _overlap(shapes[a], shapes[b]):
            low, high = sorted((group[a], group[b]))
            group = [low if g == high else g for g in group]
    members: dict[int, list[shapely.Geometry]] = {}
    for shape, of in zip(shapes, group, strict=True):
        members.setdefault(of, []).append(shape)
    overlapping = sum(len(of) for of in members.values() if len(of) > 1)
    return [_areas(shapely.union_all(of)) for of in members.values()], overlapping


def _overlap(a: shapely.Geometry, b: shapely.Geometry) -> bool:
    """Whether two outlines share an area and neither lies within the other."""
    small, large = sorted((a, b), key=lambda shape: shape.area)
    share = _share_within(small, large)
    return 1 - NESTED < share < NESTED

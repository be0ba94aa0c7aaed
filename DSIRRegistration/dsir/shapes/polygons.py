"""Closed polygons on one slice: what they cover, and how far each pixel is from their outline.

Several polygons make one region by the even-odd (XOR) rule: an inner polygon is a hole, one inside that an island, as
treatment planning systems and DICOM's CLOSEDPLANAR_XOR have it. Coordinates are pixel indices (i, j); a pixel's centre
is a whole number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

SUBLINES = 16
"""Scan lines through each row of pixels for coverage: exact along i, a 16th of a pixel along j."""

STEP = 0.25
"""Pixels: edges are cut into pieces no longer than this, of which each bounds the region or does not."""


RASTER = 4
"""Divisions of a pixel on which it is decided whether a piece of an edge separates inside from outside."""

EXACT = 3.0
"""Pixels from the outline up to which the very nearest edge is sought."""


def coverage(polygons: Sequence[np.ndarray], shape: tuple[int, int], *, sublines: int = SUBLINES) -> np.ndarray:
    """(I, J) float64: the share of each pixel inside, 0 to 1.

    Args:
        polygons: (N, 2) each, closed by themselves (the last point is joined to the first).
    """
    rows = (np.arange(shape[1] * sublines) + 0.5) / sublines - 0.5
    line, x, sign = _crossings(polygons, rows)
    column = np.floor(x + 0.5).astype(int)
    share = column + 0.5 - x  # of the pixel that the crossing lies in; all pixels after it are covered whole
    grid = np.zeros((len(rows), shape[0] + 2))
    before, after = column < 0, column > shape[0]
    column, share = np.clip(column, 0, shape[0]), np.where(before, 1.0, np.where(after, 0.0, share))
    np.add.at(grid, (line, column), sign * share)
    np.add.at(grid, (line, column + 1), sign * (1 - share) * ~after)
    covered = np.cumsum(grid, axis=1)[:, : shape[0]]
    return np.clip(covered.reshape(shape[1], sublines, shape[0]).mean(1).T, 0.0, 1.0)


def inside(polygons: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """(I, J) bool: whether each pixel's centre is inside."""
    line, x, _ = _crossings(polygons, np.arange(shape[1], dtype=np.float64))
    crossed = np.zeros((shape[1], shape[0] + 1), dtype=int)
    np.add.at(crossed, (line, np.clip(np.ceil(x), 0, shape[0]).astype(int)), 1)
    return (np.cumsum(crossed, axis=1)[:, : shape[0]] % 2 == 1).T


def signed_distance(
    polygons: Sequence[np.ndarray], shape: tuple[int, int], spacing: np.ndarray, reach: float
) -> np.ndarray:
    """(I, J) float32 mm to the outline of the region: positive inside, clamped at ``reach``.

    Exact near the outline; further off the distance to the edge in the nearest pixel, which is right to a fraction of
    a pixel.

    Edges that bound nothing (a keyhole's channel, an outline drawn twice) do not count.

    Args:
        spacing: (2,) mm of a pixel along i and j.
    """
    within = inside(polygons, shape)
    out = np.where(within, reach, -reach).astype(np.float32)
    starts, ends = _pieces(*_edges(polygons))
    fine = inside([(p + 0.5) * RASTER - 0.5 for p in polygons], (shape[0] * RASTER, shape[1] * RASTER))
    bounding = _separates(((starts + ends) / 2 + 0.5) * RASTER - 0.5, fine)
    starts, ends = starts[bounding], ends[bounding]
    if not len(starts):
        return out
    middles = (starts + ends) / 2
    owner = np.full(shape, -1)
    at = np.clip(np.rint(middles).astype(int), 0, np.array(shape) - 1)
    owner[at[:, 0], at[:, 1]] = np.arange(len(middles))
    far, feature = ndimage.distance_transform_edt(owner < 0, spacing, return_indices=True)
    pixels = np.argwhere(far <= reach + np.hypot(*spacing))
    row, column = pixels.T
    nearest = [owner[feature[0][row, column], feature[1][row, column]]]
    close = far[row, column] < EXACT * spacing.max()
    _, found = cKDTree(middles * spacing).query(pixels[close] * spacing, k=[1, 2])
    for choice in found.T:  # the second may be the one around the corner
        refined = nearest[0].copy()
        refined[close] = np.minimum(choice, len(middles) - 1)
        nearest.append(refined)
    distance = np.min([_to_segment(pixels * spacing, starts[e] * spacing, ends[e] * spacing) for e in nearest], axis=0)
    distance = np.minimum(distance, reach)
    out[row, column] = np.where(within[row, column], distance, -distance)
    return out


def area(polygon: np.ndarray) -> float:
    """Signed area in pixels (shoelace); positive when anticlockwise in (i, j)."""
    x, y = polygon.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def contains(polygon: np.ndarray, point: np.ndarray) -> bool:
    """Whether a point lies inside one polygon (even-odd)."""
    (x0, y0), (x1, y1) = polygon.T, np.roll(polygon, -1, axis=0).T
    cross = (y0 <= point[1]) != (y1 <= point[1])
    x = x0[cross] + (point[1] - y0[cross]) / (y1[cross] - y0[cross]) * (x1[cross] - x0[cross])
    return bool(np.count_nonzero(x > point[0]) % 2)


def _edges(polygons: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All edges as starts and ends, (M, 2) each."""
    starts = np.concatenate([np.asarray(p, dtype=np.float64) for p in polygons])
    ends = np.concatenate([np.roll(np.asarray(p, dtype=np.float64), -1, axis=0) for p in polygons])
    return starts, ends


def _crossings(polygons: Sequence[np.ndarray], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where edges cross the lines j = rows: line number, i, and +1 where the region begins, -1 where it ends."""
    starts, ends = _edges(polygons)
    upward = starts[:, 1] <= ends[:, 1]
    low = np.where(upward[:, None], starts, ends)
    high = np.where(upward[:, None], ends, starts)
    first, stop = np.searchsorted(rows, low[:, 1]), np.searchsorted(rows, high[:, 1])  # low <= row < high
    count = stop - first
    which = np.repeat(np.arange(len(low)), count)
    line = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
    slope = (rows[line] - low[which, 1]) / np.maximum(high[which, 1] - low[which, 1], 1e-300)
    x = low[which, 0] + slope * (high[which, 0] - low[which, 0])
    order = np.lexsort((x, line))
    line, x = line[order], x[order]
    new = np.r_[True, line[1:] != line[:-1]] if len(line) else np.zeros(0, bool)
    rank = np.arange(len(line)) - np.maximum.accumulate(np.where(new, np.arange(len(line)), 0))
    return line, x, np.where(rank % 2 == 0, 1.0, -1.0)


def _pieces(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges cut into pieces of at most ``STEP``, as starts and ends."""
    count = np.maximum(np.ceil(np.linalg.norm(ends - starts, axis=1) / STEP), 1).astype(int)
    edge = np.repeat(np.arange(len(starts)), count)
    rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    along = (ends - starts)[edge] / count[edge, None]
    first = starts[edge] + along * rank[:, None]
    return first, first + along


def _separates(points: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Whether inside and outside meet at each point: both are found among the four raster centres around it."""
    padded = np.pad(within, 1)
    around = []
    for offset in ((-0.6, -0.6), (-0.6, 0.6), (0.6, -0.6), (0.6, 0.6)):
        at = np.clip(np.rint(points + offset).astype(int) + 1, 0, np.array(padded.shape) - 1)
        around.append(padded[at[:, 0], at[:, 1]])
    return np.any(around, axis=0) & ~np.all(around, axis=0)


def _to_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    along = b - a
    t = np.einsum("nd,nd->n", points - a, along) / np.maximum(np.einsum("nd,nd->n", along, along), 1e-20)
    return np.linalg.norm(points - a - np.clip(t, 0, 1)[:, None] * along, axis=1)

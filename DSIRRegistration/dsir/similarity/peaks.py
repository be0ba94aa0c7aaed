"""The hills of a heat map: separate local maxima, highest first, placed between voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.lattice import Lattice


@dataclass(frozen=True, eq=False)
class Peak:
    """A local maximum.

    Attributes:
        point: (3,) RAS mm.
        similarity: cosine at its voxel, -1..1.
    """

    point: np.ndarray
    similarity: float


def highest(heat: np.ndarray, lattice: Lattice, count: int, *, apart: float, planes: range | None = None) -> list[Peak]:
    """The ``count`` highest local maxima above 0 that lie at least ``apart`` mm from each other.

    Each plane's maximum is kept; taking a peak away changes only the planes it reaches, so the volume is read once.
    """
    planes = planes if planes is not None else range(heat.shape[0])
    tops = np.full(heat.shape[0], -np.inf, np.float32)
    tops[planes.start : planes.stop] = heat[planes.start : planes.stop].reshape(len(planes), -1).max(1)
    work: dict[int, np.ndarray] = {}  # planes with parts taken away
    reach = apart / float(lattice.spacing[0])
    peaks: list[Peak] = []
    for _ in range(30 * count):  # slopes at the edge of what was taken away are no peaks; there are only so many
        i = int(tops.argmax())
        if tops[i] <= 0 or len(peaks) == count:
            break
        plane = work.get(i, heat[i])
        j, k = np.unravel_index(plane.argmax(), plane.shape)
        voxel = (i, int(j), int(k))
        is_peak = not peaks or _is_peak(heat, voxel)
        if is_peak:
            peaks.append(Peak(lattice.to_world(refined(heat, voxel)), float(heat[voxel])))
        _take_away(heat, work, tops, voxel, reach if is_peak else 1.0)
    return peaks


def refined(heat: np.ndarray, voxel: tuple[int, int, int]) -> np.ndarray:
    """(3,) index of a maximum between voxels: the vertex of a parabola along each axis, at most half a voxel away."""
    index = np.array(voxel, dtype=np.float64)
    for axis in range(3):
        n = voxel[axis]
        if not 0 < n < heat.shape[axis] - 1:
            continue
        before, here, after = (float(heat[(*voxel[:axis], n + step, *voxel[axis + 1 :])]) for step in (-1, 0, 1))
        bend = before - 2 * here + after
        if bend < 0 and before != 0 and after != 0:  # exactly 0: outside the body or the radius, not a similarity
            index[axis] += np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return index


def _is_peak(heat: np.ndarray, voxel: tuple[int, int, int]) -> bool:
    around = tuple(slice(max(n - 1, 0), n + 2) for n in voxel)
    return bool(heat[voxel] >= heat[around].max())


def _take_away(
    heat: np.ndarray, work: dict[int, np.ndarray], tops: np.ndarray, voxel: tuple[int, int, int], reach: float
) -> None:
    i, j, k = voxel
    r = int(reach)
    rows = slice(max(j - r, 0), j + r + 1)
    columns = slice(max(k - r, 0), k + r + 1)
    flat = (np.arange(heat.shape[1])[rows, None] - j) ** 2 + (np.arange(heat.shape[2])[None, columns] - k) ** 2
    for n in range(max(i - r, 0), min(i + r + 1, heat.shape[0])):
        if not np.isfinite(tops[n]):
            continue
        if n not in work:
            work[n] = heat[n].copy()
        plane = work[n]
        plane[rows, columns][flat + (n - i) ** 2 <= reach**2] = -np.inf
        tops[n] = plane.max()

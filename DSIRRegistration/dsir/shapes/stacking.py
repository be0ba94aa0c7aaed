"""From outlines on slices to a continuous shape: shape-based interpolation.

Each slice becomes the in-plane signed distance to its outline, and between slices the distances are interpolated
linearly (Raya and Udupa, IEEE TMI 1990), so that a shape between two 5 mm slices lies between its outlines. Beyond the
last outline the shape ends half a slice further on, as planning systems count its volume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import torch

from ..geometry.lattice import Lattice
from ..geometry.subgrids import divided, divisions
from .polygons import region, signed_distance

SNAP = 0.05
"""Slices: an outline this near to a slice lies on it."""

LONGEST_FILL = 3.0
"""Slices: a longer step between outlines than this, and than 1.5 usual steps, is taken as two separate parts."""


@dataclass(frozen=True, eq=False)
class Stack:
    """A shape made from outlines.

    Attributes:
        distance: (I, J, K) float32 mm, as :class:`.structure.Structure` has it.
        lattice: the box.
        filled: slices between drawn ones that got their shape by interpolation.
        doubled: outlines that were drawn twice and count once.
        overlapping: slices on which outlines cross each other.
        hollow: share of what the outer outlines hold that inner ones take away.
    """

    distance: torch.Tensor
    lattice: Lattice
    filled: int
    doubled: int = 0
    overlapping: int = 0
    hollow: float = 0.0


def stack(outlines: Mapping[float, Sequence[np.ndarray]], scan: Lattice, *, xor: bool = False) -> Stack:
    """Build the shape.

    Args:
        outlines: slice position k (continuous index along the scan's third axis) to polygons (N, 2) in (i, j).
        scan: the lattice of the scan they are drawn on.
        xor: see :func:`.polygons.region`.
    """
    reach = _reach(scan)
    fine = _refined(outlines, scan, reach)
    spacing = fine.spacing
    outlines = _snapped(outlines)
    regions = {k: region(polygons, xor=xor) for k, polygons in sorted(outlines.items())}
    start, shape = _box([_within(p, scan, fine) for polygons in outlines.values() for p in polygons], spacing, reach)
    planes: dict[float, np.ndarray] = {}
    for k, found in regions.items():
        moved = shapely.transform(found.shape, lambda points: _within(points, scan, fine) - start)
        planes[k] = signed_distance(moved, shape, spacing[:2], reach)
    ks = np.array(sorted(planes))
    step = float(np.quantile(np.diff(ks), 0.5, method="lower")) if len(ks) > 1 else 1.0  # a step that there is
    runs = _runs(ks, step, planes)
    first, last = int(np.floor(ks[0] - step)) - 1, int(np.ceil(ks[-1] + step)) + 1
    out = np.full((*shape, last - first + 1), -reach, dtype=np.float32)
    filled = 0
    for run in runs:
        for n, k in enumerate(range(first, last + 1)):
            plane, drawn = _at(float(k), run, planes, step / 2)
            if plane is not None:
                out[..., n] = np.maximum(out[..., n], plane)
                filled += not drawn and run[0] < k < run[-1]
    lattice = fine.window(np.array([*start, first]), out.shape)
    kept = sum(r.shape.area for r in regions.values())
    outer = sum(r.shape.area / (1 - r.hollow) for r in regions.values() if r.hollow < 1)
    return Stack(
        torch.from_numpy(np.clip(out, -reach, reach)),
        lattice,
        filled,
        doubled=sum(r.doubled for r in regions.values()),
        overlapping=sum(r.overlapping > 0 for r in regions.values()),
        hollow=1 - kept / outer if outer else 0.0,
    )


def _snapped(outlines: Mapping[float, Sequence[np.ndarray]]) -> dict[float, list[np.ndarray]]:
    """Outlines by slice; those near to a slice lie on it, all together."""
    found: dict[float, list[np.ndarray]] = {}
    for k, polygons in outlines.items():
        key = float(np.rint(k)) if abs(k - np.rint(k)) < SNAP else float(k)
        found.setdefault(key, []).extend(polygons)
    return found


def _reach(scan: Lattice) -> float:
    """mm around the surface within which distances must be right: sections of a slanted shape shift that far."""
    return float(max(10.0, 2.5 * scan.spacing.max()))


def _refined(outlines: Mapping[float, Sequence[np.ndarray]], scan: Lattice, reach: float) -> Lattice:
    """The scan's lattice with pixels small enough for slim shapes, unless the shape is large."""
    _, shape = _box([p for polygons in outlines.values() for p in polygons], scan.spacing, reach)
    slices = int(max(outlines) - min(outlines)) + 5
    return divided(scan, divisions(scan.spacing, (*shape, slices)))


def _within(polygon: np.ndarray, scan: Lattice, fine: Lattice) -> np.ndarray:
    """Pixel indices of ``scan`` as those of its divided lattice."""
    times = np.rint(scan.spacing / fine.spacing)[:2]
    return (polygon + 0.5) * times - 0.5


def _box(outlines: Sequence[np.ndarray], spacing: np.ndarray, reach: float) -> tuple[np.ndarray, tuple[int, int]]:
    """First pixel and size of the rectangle around polygons, with room for ``reach`` mm."""
    points = np.concatenate(outlines)
    margin = np.ceil(reach / spacing[:2]) + 1
    start = np.floor(points.min(0) - margin).astype(int)
    stop = np.ceil(points.max(0) + margin).astype(int) + 1
    width, height = stop - start
    return start, (int(width), int(height))


def _runs(ks: np.ndarray, step: float, planes: Mapping[float, np.ndarray]) -> list[np.ndarray]:
    """Outlines that belong together: the usual step apart, or little more with sections over each other."""
    cuts = []
    for n, gap in enumerate(np.diff(ks)):
        overlap = ((planes[ks[n]] > 0) & (planes[ks[n + 1]] > 0)).any()
        if gap > 1.5 * step and not (gap <= LONGEST_FILL and overlap):
            cuts.append(n + 1)
    return np.split(ks, cuts)


def _at(k: float, run: np.ndarray, planes: Mapping[float, np.ndarray], cap: float) -> tuple[np.ndarray | None, bool]:
    """The distances on slice ``k``, and whether it was drawn; None where the run is too far away."""
    if k in planes and run[0] <= k <= run[-1]:
        return planes[k], True
    if run[0] < k < run[-1]:
        above = int(np.searchsorted(run, k))
        low, high = run[above - 1], run[above]
        t = (k - low) / (high - low)
        return (1 - t) * planes[low] + t * planes[high], False
    end = run[0] if k <= run[0] else run[-1]
    beyond = abs(k - end)
    if beyond > 2 * cap + 1:
        return None, False
    plane = planes[end]
    return plane - np.abs(plane) * beyond / cap, False  # passes zero ``cap`` slices beyond the last outline

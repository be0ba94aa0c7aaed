"""The grid that the frames of a DICOM segmentation object lie on: one for all segments, whichever slices they meet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..dicom.dataset import first, items, number
from ..dicom.planes import Plane
from ..dicom.stack import EVEN, ROUNDED, Stack, stacked
from ..errors import DsirError

ONE_PLACE = 0.1
"""Pixels by which a frame may lie beside the others."""

SPARSE = 2.5
"""Slice thicknesses between neighbours from which on slices lie between them that no segment meets."""

MOST_EMPTY = 2000
"""Slices in a row that no segment meets: more than the longest scan has, and the grid is made whole."""


def grid_of(frames: list[Plane], path: Path) -> Stack:
    """One grid for the frames of all segments; each place once. Frames that were left out leave no hole in it."""
    name = f"The segmentation {path}"
    directions = frames[0].directions
    if directions is None or any(f.position is None or f.directions is None or f.pixel is None for f in frames):
        return stacked(frames, name)  # raises, and says what is missing
    normal = np.cross(directions[0], directions[1])
    unique: dict[float, Plane] = {}
    for frame in frames:
        unique.setdefault(round(float(np.asarray(frame.position) @ normal), 2), frame)
    planes = list(unique.values())
    gaps = np.diff(sorted(float(np.asarray(plane.position) @ normal) for plane in planes))
    if len(planes) == 1:
        planes.append(_beside(planes[0], normal))
    spacing = _spacing(frames[0], gaps, name)
    grid = stacked(planes, name, most_missing=MOST_EMPTY, spacing=spacing)
    _check_alike(frames, grid, name)
    return grid


def _spacing(frame: Plane, gaps: np.ndarray, name: str) -> float | None:
    """mm between slices: what is written of a segmentation are the slices that a segment meets, often few and far
    between, so that their distance is no measure. None where nothing is said that fits.

    Raises:
        DsirError: the frames lie far apart, and not on slices of any thickness that is said.
    """
    between, thick = _measure(frame, "SpacingBetweenSlices"), _measure(frame, "SliceThickness")
    if not len(gaps):
        return between or None
    least = float(gaps.min())
    sparse = 0 < SPARSE * thick <= least
    for step in (between, thick if sparse else least):
        times = np.rint(gaps / step) if step else gaps
        off = np.abs(gaps - times * step) / (step or 1.0)
        if step and times.min() > 0 and off.max() < max(EVEN, ROUNDED / step):
            return float(gaps.sum() / times.sum())  # what is said may be rounded
    if not sparse:
        return None
    raise DsirError(
        f"{name} cannot be used: its frames lie {least:.3g} mm apart and are {thick:.3g} mm thick, so nobody knows "
        "which slices lie between them."
    )


def _measure(plane: Plane, name: str) -> float:
    """mm of a frame's Pixel Measures, or of the file; 0 where neither says it."""
    of_frames = items(plane.header, "PerFrameFunctionalGroupsSequence")
    groups = [first(plane.header, "SharedFunctionalGroupsSequence"), *of_frames[:1]]
    places = [first(group, "PixelMeasuresSequence") for group in groups if group is not None] + [plane.header]
    said = (number(place, name) for place in places if place is not None)
    return next((value for value in said if value is not None and value > 0), 0.0)


def _check_alike(frames: list[Plane], grid: Stack, name: str) -> None:
    """Refuse frames that lie otherwise than those which the grid was made of.

    Raises:
        DsirError: orientation, pixel size or place in the plane differ.
    """
    known = frames[0]
    assert known.directions is not None and known.pixel is not None  # _grid() asked for them
    for n, frame in enumerate(frames, start=1):
        assert frame.directions is not None and frame.pixel is not None and frame.position is not None
        turned = np.abs(frame.directions - known.directions).max() > 2e-3
        if turned or np.abs(frame.pixel - known.pixel).max() > 1e-3:
            other = "orientation" if turned else "pixel size"
            raise DsirError(f"{name} cannot be used: its frame {n} has another {other} than its first.")
        at = grid.lattice.to_index(frame.position * np.array([-1.0, -1.0, 1.0]))[:2]
        if not grid.shifts.any() and np.abs(at).max() > ONE_PLACE:
            raise DsirError(f"{name} cannot be used: its frame {n} lies beside its others.")


def _beside(plane: Plane, normal: np.ndarray) -> Plane:
    """An empty plane next to a single one, so that it has a thickness: that of a slice, or a voxel."""
    thick = _measure(plane, "SpacingBetweenSlices") or _measure(plane, "SliceThickness")
    thick = thick or float(np.max(plane.pixel if plane.pixel is not None else 1.0))
    return replace(plane, position=np.asarray(plane.position) + normal * thick, frame=-1)


def places_on(grid: Stack, frames: list[Plane], at: dict[int, int]) -> list[int]:
    along = grid.lattice
    found = []
    for frame in frames:
        if id(frame) in at:
            found.append(at[id(frame)])
            continue
        ras = frame.position * np.array([-1.0, -1.0, 1.0])
        found.append(round(float(along.to_index(ras[None])[0, 2])))
    return found

"""Planes to a regular grid: every doubt about where they lie is said, none is filled in by invention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DsirError
from ..geometry.lattice import LPS, Lattice
from ..messages import Message
from .agreement import check_agreement
from .planes import Plane

EVEN = 0.05
"""Share of the slice spacing by which a plane may be off its place."""

ROUNDED = 0.06
"""mm by which it may be off too: some programs round positions to 0.1 mm."""

ASIDE = 0.1
"""Share of a pixel by which a plane may lie sideways of the others."""

MOST_MISSING = 3
"""Slices in a row that may be missing and are interpolated, with a warning; more is refused."""

TILT = 2e-3
"""Sideways shift as a share of the slice spacing, above which slices were taken with a tilted gantry."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Planes on a grid.

    Attributes:
        lattice: columns, rows, slices; the third axis ascends along the planes' normal. Right-angled also where the
            gantry was tilted.
        planes: position on the third axis to plane; a missing slice has none.
        shifts: (slices, 2) pixels along columns and rows by which each plane lies beside the grid; zero without tilt.
        remarks: what must be known of it, one sentence each.
    """

    lattice: Lattice
    planes: dict[int, Plane]
    shifts: np.ndarray
    remarks: tuple[str, ...]


def stacked(
    planes: Sequence[Plane], name: str, *, most_missing: int = MOST_MISSING, spacing: float | None = None
) -> Stack:
    """Put planes of one orientation and size on a grid.

    Args:
        name: of the series, for sentences.
        most_missing: slices in a row that may be missing.
        spacing: mm between slices, where it is known; by default what most of them have.

    Raises:
        DsirError: no positions, orientations or pixel sizes; a single plane; planes of two scans; two at one place;
            uneven or too many missing; the reason in one sentence.
    """
    directions, pixel = _complete(planes, name)
    check_agreement(planes, name)
    normal = np.cross(directions[0], directions[1])
    order = np.argsort([p.position @ normal for p in planes if p.position is not None], kind="stable")
    positions = np.array([planes[i].position for i in order])
    at, spacing = _places(positions @ normal, name, most_missing, spacing)
    count = int(at[-1]) + 1
    travel = (positions[-1] - positions[0]) / (count - 1)
    sideways = travel - (travel @ normal) * normal
    tilted = float(np.linalg.norm(sideways)) > TILT * spacing + 1e-3
    offsets = positions - positions[0] - at[:, None] * travel
    aside = float(np.abs(offsets @ directions.T).max())
    if aside > max(ASIDE * float(pixel.min()), 3 * ROUNDED):
        raise DsirError(
            f"{name} cannot be used: its slices do not lie behind one another, some are shifted sideways by up to "
            f"{aside:.2g} mm."
        )
    rows, columns = planes[0].size
    shifts, low, size = np.zeros((count, 2)), np.zeros(2, dtype=int), (columns, rows)
    if tilted:
        each = np.array([sideways @ directions[0] / pixel[1], sideways @ directions[1] / pixel[0]])
        shifts = np.round(np.arange(count)[:, None] * each, 4)  # a hair beside a voxel would lose the border
        low = np.floor(shifts.min(0) + 1e-6).astype(int)
        wider, taller = np.ceil(shifts.max(0) - 1e-6).astype(int) - low
        size = columns + int(wider), rows + int(taller)
        travel = (travel @ normal) * normal
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = directions[0] * pixel[1], directions[1] * pixel[0], travel
    affine[:3, 3] = positions[0] + affine[:3, 0] * low[0] + affine[:3, 1] * low[1]
    try:
        lattice = Lattice((*size, count), LPS @ affine)
    except DsirError as error:
        raise DsirError(f"{name} cannot be used: {error}") from None
    missing = [k for k in range(count) if k not in set(at.tolist())]
    remarks = []
    if missing:
        lacking = Message("slices_missing", name=name, missing=len(missing), count=count, first=missing[0] + 1)
        remarks.append(lacking)
    if tilted:
        degrees = np.degrees(np.arctan2(np.linalg.norm(sideways), spacing))
        remarks.append(Message("gantry_straightened", name=name, degrees=float(degrees)))
    found = {int(k): planes[i] for k, i in zip(at, order, strict=True)}
    return Stack(lattice, found, shifts - low, tuple(remarks))


def _places(along: np.ndarray, name: str, most_missing: int, spacing: float | None) -> tuple[np.ndarray, float]:
    """Whole numbers (N,) that count slices from the first, and the mm between neighbours.

    Args:
        along: (N,) mm along the normal, ascending.

    Raises:
        DsirError: two lie at one place, they are not evenly spaced, or too many are missing in a row.
    """
    steps = np.diff(along)
    if steps.min() < 1e-3:
        raise DsirError(f"{name} has two slices at one place (a time series, or several echoes?); give one volume.")
    spacing = spacing or _spacing(steps)
    places = (along - along[0]) / spacing
    at = np.rint(places).astype(int)
    if np.abs(places - at).max() > max(EVEN, ROUNDED / spacing):
        raise DsirError(
            f"{name} cannot be used: its slices are not evenly spaced. Most lie {spacing:.3g} mm apart, "
            f"but gaps run from {steps.min():.3g} to {steps.max():.3g} mm."
        )
    most = int(np.diff(at).max()) - 1
    if most > most_missing:
        raise DsirError(
            f"{name} lacks {most} slices in a row ({spacing:.3g} mm each); that is too much to interpolate. "
            "Export the series anew."
        )
    return at, spacing


def _spacing(steps: np.ndarray) -> float:
    """mm between neighbours, from all steps that are one spacing: rounding of single positions averages out."""
    middle = float(np.median(steps))
    plain = steps[np.abs(steps - middle) < 0.25 * middle]
    return float(plain.mean()) if len(plain) else middle


def _complete(planes: Sequence[Plane], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Refuse planes that do not say where they lie; the directions and pixel size of the first."""
    for what, has in (
        ("position (Image Position Patient)", [p.position is not None for p in planes]),
        ("orientation (Image Orientation Patient)", [p.directions is not None for p in planes]),
        ("pixel size (Pixel Spacing)", [p.pixel is not None for p in planes]),
    ):
        lacking = has.count(False)
        if lacking:
            which = "its slices have" if lacking == len(has) else f"{lacking} of its {len(has)} slices have"
            raise DsirError(f"{name} cannot be used: {which} no {what}, so nobody knows where they lie.")
    if len(planes) < 2:
        raise DsirError(f"{name} holds a single slice; a series of slices is needed.")
    assert planes[0].directions is not None and planes[0].pixel is not None
    return planes[0].directions, planes[0].pixel

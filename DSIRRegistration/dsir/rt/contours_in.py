"""The contours of one structure in an RTSTRUCT: outlines on slices, points, and what cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset

from ..dicom.dataset import whole
from ..geometry.lattice import Lattice
from ..shapes.polygons import one_outline

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")

OFF_PLANE = 0.1
"""Slices by which a contour's points may leave its plane."""


@dataclass
class SortedContours:
    """A ROI's contours, by what they are good for.

    Attributes:
        outlines: slice number to polygons (N, 2) in pixel indices.
        points: (3,) RAS mm each.
        faults: why contours cannot be used, and how many.
        xor: whether outlines exclude one another, as the object says.
    """

    outlines: dict[float, list[np.ndarray]] = field(default_factory=dict)
    points: list[np.ndarray] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    xor: bool = False

    def fault(self, what: str) -> None:
        self.faults[what] = self.faults.get(what, 0) + 1


def sorted_contours(contours: list[Dataset], scan: Lattice) -> SortedContours:
    """Sort items of a Contour Sequence onto the slices of the scan that they were drawn on."""
    out = SortedContours()
    for contour in contours:
        kind = str(contour.get("ContourGeometricType", "")).upper()
        try:
            values = _coordinates(contour)
        except (TypeError, ValueError):
            values = np.full(1, np.nan)
        if len(values) % 3 or not np.isfinite(values).all():
            out.fault("their coordinates are not triples of numbers")
            continue
        promised = whole(contour, "NumberOfContourPoints")
        if promised is not None and promised != len(values) // 3:
            out.fault("they have fewer or more points than they say")
            continue
        if _shifted(contour):
            out.fault("they are to be shifted by an offset that DICOM has retired")
            continue
        world = values.reshape(-1, 3) * [-1.0, -1.0, 1.0]
        if kind == "POINT" and len(world) == 1:
            out.points.append(world[0])
            continue
        if kind not in CLOSED:
            out.fault(f"they are of the type {kind or 'unknown'}, and only closed planar ones bound a shape")
            continue
        out.xor = out.xor or kind == "CLOSEDPLANAR_XOR"
        _place(scan.to_index(world), scan, out)
    return out


def _coordinates(contour: Dataset) -> np.ndarray:
    """Numbers of the Contour Data; bytes where a writer could not name the type of so long a value."""
    data = contour.get("ContourData") or ()
    if isinstance(data, bytes):
        data = data.decode("ascii").rstrip("\0 ").split("\\")
    return np.array([float(v) for v in data])


def _shifted(contour: Dataset) -> bool:
    """Whether an item moves its points (Contour Offset Vector, retired): from where, programs never agreed upon."""
    offset = contour.get("ContourOffsetVector")
    return offset is not None and any(float(mm or 0) for mm in np.atleast_1d(np.array(offset, dtype=object)))


def _place(index: np.ndarray, scan: Lattice, out: SortedContours) -> None:
    """Put one closed contour on its slice."""
    polygon = index[np.abs(index - np.roll(index, 1, axis=0)).max(1) > 1e-6]  # a repeated first point closes nothing
    if one_outline(polygon[:, :2]).area < 1e-3:
        if len(polygon) >= 3 and np.ptp(polygon[:, 2]) > OFF_PLANE:
            out.fault("they are not parallel to the slices of the moving series")
        else:
            out.fault("they have fewer than three points or no area")
        return
    if np.ptp(polygon[:, 2]) > 2 * OFF_PLANE:
        out.fault("they are not parallel to the slices of the moving series")
        return
    k = round(float(np.median(polygon[:, 2])), 2)
    if not -0.6 <= k <= scan.shape[2] - 0.4:
        out.fault("they lie beyond the first or last slice of the moving series")
        return
    near = next((known for known in out.outlines if abs(known - k) < 0.05), k)
    out.outlines.setdefault(near, []).append(polygon[:, :2])

"""From a continuous shape to closed planar outlines: the zero level on each slice, never a mask's staircase."""

from __future__ import annotations

import contourpy
import numpy as np
import torch
from scipy.spatial import cKDTree

from .polygons import area, contains

ROUNDING = 1e-3
"""Pixels: neighbouring points closer than this are one."""

STRAIGHT = 0.03
"""Pixels by which a point may lie off its neighbours' line and be spared."""

PASSES = 4

SPECK = 0.05
"""Pixels of area below which an outline is a rounding speck and not a shape."""


def outlines(distance: torch.Tensor) -> dict[int, list[np.ndarray]]:
    """Cut the shape on every slice of its third axis.

    Level lines of a bilinear cell do not cross themselves or each other, and beyond the box everything is outside, so
    that every line closes.

    Args:
        distance: (I, J, K) mm, positive inside.

    Returns:
        slice to polygons (N, 2) in (i, j) of the box; outer ones anticlockwise, holes clockwise; slices without any
        are left out.
    """
    values = torch.nn.functional.pad(distance[None], (0, 0, 1, 1, 1, 1), mode="replicate")[0]
    rim = torch.ones(values.shape[:2], dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    values[rim] = -values[rim].abs().clamp(min=1e-3)  # what is cut by the box ends at its voxels' edges
    heights = values.double().numpy()
    found: dict[int, list[np.ndarray]] = {}
    for k in np.flatnonzero((heights > 0).any((0, 1))):
        generator = contourpy.contour_generator(z=heights[..., k].T, name="serial")
        lines = [_tidy(np.asarray(line)[:-1] - 1.0) for line in generator.lines(0.0)]
        kept = [line for line in lines if len(line) >= 3 and abs(area(line)) > SPECK]
        if kept:
            found[int(k)] = kept
    return found


def keyholes(polygons: list[np.ndarray]) -> list[np.ndarray]:
    """Each outer polygon with its holes joined to it by a channel of no width (DICOM PS3.3 C.8.8.6.3)."""
    outer = [p for p in polygons if area(p) > 0]
    holes = [p for p in polygons if area(p) < 0]
    for hole in holes:
        around = [n for n, p in enumerate(outer) if contains(p, hole[0])]
        if around:
            nearest = min(around, key=lambda n: area(outer[n]))
            outer[nearest] = _joined(outer[nearest], hole)
    return outer


def _joined(outer: np.ndarray, hole: np.ndarray) -> np.ndarray:
    gaps, nearest = cKDTree(outer).query(hole)
    b = int(gaps.argmin())
    a = int(nearest[b])
    return np.concatenate([outer[: a + 1], np.roll(hole, -b, axis=0), hole[b : b + 1], outer[a:]])


def _tidy(line: np.ndarray) -> np.ndarray:
    """Without points that coincide after rounding, and without those on the straight line between their neighbours."""
    line = line[np.abs(line - np.roll(line, 1, axis=0)).max(1) > ROUNDING]
    for _ in range(PASSES):
        if len(line) < 8:
            break
        before, after = np.roll(line, 1, axis=0), np.roll(line, -1, axis=0)
        chord = after - before
        off = np.abs(chord[:, 0] * (line - before)[:, 1] - chord[:, 1] * (line - before)[:, 0])
        straight = off <= STRAIGHT * np.linalg.norm(chord, axis=1)
        straight[1::2] = False  # never two neighbours at once
        straight[-1] = False
        line = np.roll(line[~straight], 1, axis=0)
    return line

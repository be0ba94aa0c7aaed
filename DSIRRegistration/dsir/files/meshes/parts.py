"""What a format's parser hands over."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


class MeshError(Exception):
    """Why a surface cannot be read; the sentence begins with the file's name, which the caller knows."""


@dataclass(frozen=True, eq=False)
class MeshParts:
    """The movable parts of a surface file.

    Attributes:
        points: (N, 3) float64 in the file's own coordinates.
        normals: (N, 3) of the points, or None.
        comment: text that may say ``SPACE=LPS`` or ``SPACE=RAS``.
        rebuild: the file's bytes with other points (and normals) of the same number.
        triangles: (M, 3) point numbers of the faces; empty where the file holds none (points, lines).
    """

    points: np.ndarray
    normals: np.ndarray | None
    comment: str
    rebuild: Callable[[np.ndarray, np.ndarray | None], bytes]
    triangles: np.ndarray


def as_text(values: np.ndarray) -> str:
    """(N, 3) as lines of numbers with all digits of a float32."""
    return "\n".join(f"{x:.9g} {y:.9g} {z:.9g}" for x, y, z in values.tolist())


def with_numbers(pattern: re.Pattern[str], values: np.ndarray, text: str) -> str:
    """The text with the numbers (N, 3) in its hits of a pattern, at most N, whose first group stays as it is."""
    rows = iter(values.tolist())
    return pattern.sub(lambda line: line[1] + "{:.9g} {:.9g} {:.9g}".format(*next(rows)), text)


def fans(corners: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Triangles (M, 3) of polygons: each from its first corner.

    Args:
        corners: point numbers, polygon after polygon.
        offsets: (P + 1,) where each polygon begins, and the end.
    """
    sizes = _sizes(corners, offsets)
    count = np.maximum(sizes - 2, 0)
    first = np.repeat(offsets[:-1], count)
    rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([corners[first], corners[first + rank + 1], corners[first + rank + 2]], -1).reshape(-1, 3)


def strips(corners: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Triangles (M, 3) of triangle strips; arguments as :func:`fans`. Their sides may be turned."""
    count = np.maximum(_sizes(corners, offsets) - 2, 0)
    start = np.repeat(offsets[:-1], count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([corners[start], corners[start + 1], corners[start + 2]], -1).reshape(-1, 3)


def _sizes(corners: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Corners of each polygon; a ``ValueError`` where the offsets do not lie in order within what is there."""
    sizes = np.diff(offsets)
    if len(offsets) and (offsets[0] < 0 or offsets[-1] > len(corners) or (sizes < 0).any()):
        raise ValueError("the polygons reach beyond their corners")
    return sizes


def runs(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners and offsets of polygons written as ``count, corner, corner, ...``, one after the other."""
    starts, at = [], 0
    while at < len(numbers):
        starts.append(at)
        if numbers[at] < 0:
            raise ValueError("a polygon has fewer than no corners")
        at += int(numbers[at]) + 1
    if at != len(numbers):
        raise ValueError("the last polygon is cut short")
    heads = np.array(starts, dtype=int)
    offsets = np.concatenate([[0], np.cumsum(numbers[heads])]).astype(int)
    return np.delete(numbers, heads), offsets

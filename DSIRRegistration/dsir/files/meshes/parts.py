"""What a format's parser hands over."""

from __future__ import annotations

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
    """

    points: np.ndarray
    normals: np.ndarray | None
    comment: str
    rebuild: Callable[[np.ndarray, np.ndarray | None], bytes]


def as_text(values: np.ndarray) -> str:
    """(N, 3) as lines of numbers with all digits of a float32."""
    return "\n".join(f"{x:.9g} {y:.9g} {z:.9g}" for x, y, z in values.tolist())

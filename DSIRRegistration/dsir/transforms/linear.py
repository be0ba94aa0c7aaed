"""Affine mappings of RAS millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import TransformError
from ..geometry.plausible import plausible


@dataclass(frozen=True, eq=False)
class Linear:
    """An affine mapping of RAS mm.

    Attributes:
        matrix: (4, 4) float64, fixed point to moving point.

    Raises:
        TransformError: the matrix is not finite, or turns space into a plane.
    """

    matrix: np.ndarray

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise TransformError("The linear transform is not a finite 4 x 4 matrix.")
        if not plausible(matrix):
            raise TransformError("The linear transform moves points by more than a kilometre: no patient's does.")
        if abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
            raise TransformError("The linear transform is singular: it cannot be inverted.")
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @property
    def is_identity(self) -> bool:
        """Whether it moves nothing (by more than 1e-6 mm a metre)."""
        return bool(np.allclose(self.matrix, np.eye(4), atol=1e-9))

    def transform_points(self, points: np.ndarray) -> np.ndarray:
        """RAS points (N, 3) to RAS points (N, 3)."""
        return np.asarray(points, dtype=np.float64) @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def amounts(self, centre: np.ndarray) -> dict[str, float]:
        """How much it is: ``shift_mm`` at ``centre`` (3,) RAS mm, ``turn_deg``, ``scale_percent`` (of the axes)."""
        u, stretch, v = np.linalg.svd(self.matrix[:3, :3])
        turn = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
        shift = self.transform_points(np.asarray(centre)[None])[0] - centre
        angle = np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))
        return {
            "shift_mm": round(float(np.linalg.norm(shift)), 3),
            "turn_deg": round(float(np.rad2deg(angle)), 3),
            "scale_percent": round(100 * (float(np.cbrt(stretch.prod())) - 1), 3),
        }

    def inverse(self) -> Linear:
        """The mapping back."""
        return Linear(np.linalg.inv(self.matrix))

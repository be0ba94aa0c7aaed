"""The rigid motion nearest to pairs of points."""

from __future__ import annotations

import numpy as np


class RigidMotion:
    """x -> R x + t, RAS mm.

    Attributes:
        matrix: (4, 4).
    """

    def __init__(self, rotation: np.ndarray, shift: np.ndarray) -> None:
        self.matrix = np.eye(4)
        self.matrix[:3, :3], self.matrix[:3, 3] = rotation, shift

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3)."""
        return points @ self.matrix[:3, :3].T + self.matrix[:3, 3]


def rigid_fit(start: np.ndarray, end: np.ndarray) -> RigidMotion:
    """The rotation and shift that bring points (N, 3) nearest to their partners (Kabsch, 1976)."""
    a, b = start.mean(0), end.mean(0)
    u, _, v = np.linalg.svd((start - a).T @ (end - b))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(v.T @ u.T)) or 1.0])
    rotation = v.T @ flip @ u.T
    return RigidMotion(rotation, b - rotation @ a)

"""The rigid motion nearest to pairs of points (Kabsch, 1976)."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.spatial.transform import Rotation

from .linear import Linear

SPREAD = 1.0
"""mm2; pairs whose second-largest spread is smaller lie on one line, and no turn around it can be known."""


def rigid_fit(start: np.ndarray, end: np.ndarray, weights: np.ndarray | None = None) -> Linear:
    """The rotation and shift that bring points nearest to their partners.

    Args:
        start, end: (N, 3) RAS mm.
        weights: (N,) not negative; equal by default.

    Returns:
        start to end; a shift alone for less than three pairs off one line.
    """
    weights = np.ones(len(start)) if weights is None else np.maximum(np.asarray(weights, dtype=np.float64), 1e-6)
    weights = weights / weights.sum()
    a, b = weights @ start, weights @ end
    matrix = np.eye(4)
    spread = np.linalg.svd((weights[:, None] * (end - b)).T @ (start - a), compute_uv=False)
    if len(start) >= 3 and spread[1] > SPREAD:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "not uniquely defined": points in a plane are enough for us
            matrix[:3, :3] = Rotation.align_vectors(end - b, start - a, weights=weights)[0].as_matrix()
    matrix[:3, 3] = b - matrix[:3, :3] @ a
    return Linear(matrix)

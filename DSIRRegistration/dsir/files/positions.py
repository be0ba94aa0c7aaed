"""Vector images that say where a point lies, not how far it moves: told by their numbers, whatever the file is called.

A deformation's displacements hardly grow with the place they stand at; positions grow mm by mm. Read as displacements
they would double the body, or fold it onto a line.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import TransformError

NEAR = 0.3
"""Difference of a growth from that of positions, in each coordinate."""

STRAIGHT = 0.1
"""Share of the vectors' variance that the growth may leave unexplained."""

LEAST_GROWTH = 0.7
"""Growth along every direction from which on vectors follow their places; a turn has none along its axis."""

WAYS = {"ras": np.eye(3), "lps": np.diag([-1.0, -1.0, 1.0])}


def as_displacements(values: np.ndarray, affine: np.ndarray, path: Path) -> np.ndarray | None:
    """The same in RAS mm of (3, I, J, K) vectors that are positions, RAS or LPS; None where they are displacements.

    Args:
        affine: (4, 4) index to RAS mm of their grid.

    Raises:
        TransformError: they follow the places in another way, as counts of voxels do; the sentence names ``path``.
    """
    growth = _growth(values, affine)
    if growth is None:
        return None
    for way in WAYS.values():
        if np.abs(growth - way).max() < NEAR:
            return np.einsum("ab,bijk->aijk", way, values) - places_of(values.shape[1:], affine)
    if np.linalg.svd(growth, compute_uv=False).min() > LEAST_GROWTH or _count_voxels(values, growth, affine):
        raise TransformError(
            f"{path} holds positions and no displacements, and they are neither RAS nor LPS mm; write displacements "
            "in mm."
        )
    return None


def places_of(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """(3, I, J, K) RAS mm of the voxels."""
    index = np.indices(shape, dtype=np.float32)
    return np.einsum("ab,bijk->aijk", affine[:3, :3], index) + affine[:3, 3].reshape(3, 1, 1, 1)


def _count_voxels(values: np.ndarray, growth: np.ndarray, affine: np.ndarray) -> bool:
    """Whether vectors are the indices of voxels near by."""
    if np.abs(growth @ affine[:3, :3] - np.eye(3)).max() > NEAR:
        return False
    shape = np.array(values.shape[1:])
    middle = values[(slice(None), *(shape // 2))]
    return bool((np.abs(middle - shape // 2) < shape / 4).all())


def _growth(values: np.ndarray, affine: np.ndarray) -> np.ndarray | None:
    """(3, 3) by which vectors follow their places, by least squares; None where they do not, or the grid is flat."""
    thin = (slice(None), *(slice(None, None, max(1, n // 24)) for n in values.shape[1:]))
    places, vectors = (v[thin].reshape(3, -1).astype(np.float64) for v in (places_of(values.shape[1:], affine), values))
    if min(values.shape[1:]) < 2 or not np.isfinite(vectors).all():
        return None
    places, vectors = places - places.mean(1, keepdims=True), vectors - vectors.mean(1, keepdims=True)
    found = vectors @ places.T @ np.linalg.inv(places @ places.T)
    left = ((vectors - found @ places) ** 2).sum()
    return found if left < STRAIGHT * (vectors**2).sum() else None

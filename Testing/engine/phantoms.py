"""A patient made of formulas: the same anatomy on any lattice, in two contrasts, with a known deformation."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.transforms.field import DisplacementField

RADII = np.array([52.0, 62.0, 47.0])
"""mm; half axes of the body, an ellipsoid about the world's origin."""

Displacement = Callable[[np.ndarray], np.ndarray]


def lattice_of(
    shape: tuple[int, int, int] = (44, 50, 40),
    spacing: tuple[float, float, float] = (3.0, 3.0, 3.0),
    turn: np.ndarray | None = None,
    flips: tuple[int, ...] = (),
) -> Lattice:
    """A lattice about the origin, turned by a (3, 3) rotation, some of its axes reversed."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) * np.array(spacing)
    for axis in flips:
        affine[:3, axis] *= -1
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Lattice(shape, affine)


COARSE = lattice_of((26, 30, 24), (5.0, 5.0, 5.0))
"""The same view on an eighth of the voxels, for who asks whether and not how well."""


def tissue(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """0..1 at RAS points (..., 3): blobs with steep borders, as organs have."""
    rng = np.random.default_rng(seed)
    count = 70
    centres = rng.uniform(-1, 1, (count, 3)) * RADII
    widths = rng.uniform(6, 13, count)
    heights = rng.choice([-1.0, 1.0], count)
    x, y, z = np.ascontiguousarray(np.asarray(points, dtype=np.float32).reshape(-1, 3).T)  # thrice as fast as rows
    total = np.zeros(len(x), dtype=np.float32)
    for (a, b, c), width, height in zip(centres.astype(np.float32), widths, heights, strict=True):
        distance = np.square(x - a) + np.square(y - b) + np.square(z - c)
        total += np.float32(height) * np.exp(-0.5 * distance / np.float32(width**2))
    return (1 / (1 + np.exp(-5 * total))).reshape(np.shape(points)[:-1])


def inside(points: np.ndarray) -> np.ndarray:
    """1 within the body, 0 outside, a soft edge of about 3 mm between."""
    depth = 1 - np.sqrt(np.square(np.asarray(points) / RADII).sum(-1))
    return 1 / (1 + np.exp(-np.clip(depth * 50, -30, 30)))


def dark_on_bright(points: np.ndarray) -> np.ndarray:
    """One scanner's view of the body."""
    return inside(points) * (300 + 700 * tissue(points))


def bright_on_dark(points: np.ndarray) -> np.ndarray:
    """The other's: what was bright is dark, and not in proportion."""
    return inside(points) * (900 - 650 * tissue(points) ** 2)


def render(
    lattice: Lattice, view: Callable[[np.ndarray], np.ndarray], displacement: Displacement | None = None
) -> Image:
    """The body through ``view``, read at x + u(x) where a displacement is given."""
    values = _rendered(lattice.shape, lattice.affine.tobytes(), view, displacement)
    return Image(torch.from_numpy(values.copy()), lattice)


@lru_cache(maxsize=64)
def _rendered(
    shape: tuple[int, ...], affine: bytes, view: Callable[[np.ndarray], np.ndarray], displacement: Displacement | None
) -> np.ndarray:
    """Kept: most tests look at the same few bodies on the same few lattices."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    points = Lattice(shape, np.frombuffer(affine).reshape(4, 4)).to_world(index)
    values = view(points if displacement is None else points + displacement(points))
    return values.astype(np.float32)


def bend(points: np.ndarray) -> np.ndarray:
    """A smooth displacement of up to 9 mm, RAS mm, without folds."""
    x, y, z = np.moveaxis(np.asarray(points, dtype=np.float64) / 100 * 2 * np.pi, -1, 0)
    return np.stack([5 * np.sin(0.8 * y) + 3, 5 * np.sin(0.9 * z + 1) - 2, 4 * np.cos(0.8 * x + 0.5) + 2], -1)


def body_points(count: int = 3000, seed: int = 0, shrink: float = 0.9) -> np.ndarray:
    """(N, 3) random RAS points within the body."""
    points = np.random.default_rng(seed).uniform(-1, 1, (2 * count, 3))
    return (points[np.square(points).sum(1) < shrink**2] * RADII)[:count]


def error_mm(transform, displacement: Displacement, points: np.ndarray | None = None) -> np.ndarray:
    """(N,) |T(x) - x - u(x)| in mm at points of the body."""
    points = body_points() if points is None else points
    return np.linalg.norm(transform.transform_points(points) - points - displacement(points), axis=1)


def field_from(lattice: Lattice, displacement: Displacement) -> DisplacementField:
    """The displacement at the voxels of a lattice."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in lattice.shape), indexing="ij"), -1)
    values = np.moveaxis(displacement(lattice.to_world(index)), -1, 0)
    return DisplacementField(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)), lattice)

"""Lattices and fields the engine's tests share: the awkward ones a clinic sends."""

from __future__ import annotations

import numpy as np
import torch
from dsir.geometry.lattice import Lattice
from dsir.transforms.field import DisplacementField


def rotation(degrees: float, axis: tuple[float, float, float] = (1.0, 2.0, 3.0)) -> np.ndarray:
    """(3, 3) rotation about an axis (Rodrigues)."""
    k = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def lattice(
    shape: tuple[int, int, int] = (30, 26, 22),
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
    degrees: float = 0.0,
    left_handed: bool = False,
    centre: tuple[float, float, float] = (10.0, -20.0, 35.0),
) -> Lattice:
    """A lattice about ``centre`` (RAS mm), turned by ``degrees``, its first axis reversed when left-handed."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(degrees) * np.array(spacing)
    if left_handed:
        affine[:3, 0] *= -1
    affine[:3, 3] = np.array(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Lattice(shape, affine)


GRIDS = {
    "plain": lattice(),
    "oblique": lattice(degrees=23),
    "left-handed": lattice(left_handed=True),
    "oblique and left-handed": lattice(degrees=-37, left_handed=True),
    "anisotropic": lattice((40, 36, 10), (1.5, 1.5, 5.0), degrees=11),
}


def waves(points: np.ndarray, amplitude: float = 4.0, period: float = 60.0) -> np.ndarray:
    """A smooth displacement (..., 3) in mm of RAS points (..., 3); folding-free while amplitude < period / 11."""
    phase = 2 * np.pi * np.asarray(points) / period
    return amplitude * np.stack(
        [np.sin(phase[..., 1]), np.sin(phase[..., 2] + 1.0), 0.7 * np.cos(phase[..., 0] + 0.5)], -1
    )


def field_of(grid: Lattice, function=waves) -> DisplacementField:
    """``function`` (points (..., 3) to displacement (..., 3), mm) at the voxels of ``grid``."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    values = function(grid.to_world(index))
    return DisplacementField(torch.from_numpy(np.moveaxis(values, -1, 0).astype(np.float32).copy()), grid)


def points_inside(grid: Lattice, count: int = 200, margin: float = 1.0, seed: int = 0) -> np.ndarray:
    """(count, 3) random RAS points at least ``margin`` voxels within the outer voxel centres."""
    random = np.random.default_rng(seed).random((count, 3))
    return grid.to_world(margin + random * (np.array(grid.shape) - 1 - 2 * margin))

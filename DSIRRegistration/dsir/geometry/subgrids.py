"""Grids finer than a scan, for shapes slimmer than its voxels."""

from __future__ import annotations

import numpy as np

from .lattice import Lattice, as_shape

FINE, LARGEST = 0.5, 12_000_000
"""mm, voxels: pixels are divided until they are about this fine, so that slim structures keep their outline, unless the
structure's box then has more voxels: such a structure is not slim."""

FINEST, SMALL = 0.25, 2_500_000
"""The same for small structures, whose thin tips would be lost."""


def divided(lattice: Lattice, times: np.ndarray) -> Lattice:
    """Each voxel cut into ``times`` (odd, along each axis): every old centre is a new centre too."""
    times = np.asarray(times, dtype=int)
    affine = lattice.affine.copy()
    affine[:3, :3] /= times
    affine[:3, 3] = lattice.to_world(-(times - 1) / 2 / times)
    return Lattice(as_shape(np.array(lattice.shape) * times), affine)


def divisions(spacing: np.ndarray, shape: tuple[int, ...] | np.ndarray) -> np.ndarray:
    """(3,) odd parts into which the pixels of a structure's box are cut; slices are left as they are.

    Odd, so that outlines that are cut, carried and cut again meet the same pixel centres.

    Args:
        spacing, shape: of the box, undivided.
    """
    for aim, most in ((FINEST, SMALL), (FINE, LARGEST)):
        times = np.maximum(np.ceil(spacing / aim - 0.25), 1).astype(int) // 2 * 2 + 1
        times[2] = 1
        if np.prod(np.asarray(shape) * times, dtype=float) <= most:
            return times
    return np.ones(3, dtype=int)


def overlap(a: Lattice, b: Lattice) -> bool:
    """Whether any part of two scans lies at the same place (RAS mm); their grids may differ."""
    steps = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 12) for n in a.shape), indexing="ij"), -1)
    return bool(b.contains(a.to_world(steps)).any()) or bool(a.contains(b.corners()).any() or a.contains(b.centre))

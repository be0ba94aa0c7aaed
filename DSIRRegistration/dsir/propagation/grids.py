"""Grids finer than a scan, for shapes slimmer than its voxels."""

from __future__ import annotations

import numpy as np

from ..lattice import Lattice

FINE = 0.5
"""mm: pixels are divided until they are about this fine, so that slim structures keep their outline."""

LARGEST = 12_000_000
"""Voxels of a structure's box above which its pixels are not divided: such a structure is not slim."""


def divided(lattice: Lattice, times: np.ndarray) -> Lattice:
    """Each voxel cut into ``times`` (odd, along each axis): every old centre is a new centre too."""
    times = np.asarray(times, dtype=int)
    affine = lattice.affine.copy()
    affine[:3, :3] /= times
    affine[:3, 3] = lattice.to_world(-(times - 1) / 2 / times)
    return Lattice(tuple(int(n) for n in np.array(lattice.shape) * times), affine)

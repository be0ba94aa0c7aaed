"""What lies around a voxel must fit as well: how alike two voxels and their surroundings are.

One vector of one voxel is often alike in several places; together with what lies 16 and 28 mm around it, it is so in
one. Each of 28 places around the point asked for says where in the other image the point could lie; what they say is
added up. That is done at half the resolution: it costs an eighth, and the mean over two voxels forgives what two scans
bend and turn (measured: right more often than at full resolution).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import map_coordinates

from ..geometry.lattice import Lattice, as_shape
from .peaks import Peak, refined
from .store import SCALE, FeatureStore

DISTANCES = (16.0, 28.0)
"""mm from the point to what lies around it. Farther places find more between scans that lie alike and fewer in a
patient who bends or turns (measured)."""

DIRECTIONS = np.array([d for d in product((-1, 0, 1), repeat=3) if np.abs(d).sum() in (1, 3)], dtype=float)
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
"""(14, 3) unit vectors along the axes and the diagonals of a cube."""

FAINT = 0.3
"""Length of a mean vector below which a place says nothing: it lies outside the body, or has no structure."""

SHARE = 0.85
"""Of the surroundings in the similarity; the voxel itself has the rest."""

REACH = 3
"""Voxels around a hill of half the resolution in which its top is looked for at full resolution."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """How alike every second voxel is.

    Attributes:
        heat: (I', J', K') float32 similarity of voxel and surroundings, at most 1; 0 outside the body.
        around: (I', J', K') float32, of the surroundings alone.
        lattice: of both.
        own: (C,), the voxel's own vector, for the stores' bytes.
    """

    heat: np.ndarray
    around: np.ndarray
    lattice: Lattice
    own: np.ndarray

    def top(self, hill: Peak, searched: FeatureStore, within: tuple[np.ndarray, float] | None = None) -> Peak | None:
        """The top of a hill at full resolution; None where nothing of it lies ``within`` mm of a place.

        Args:
            within: (3,) RAS mm, and mm.
        """
        middle = np.rint(searched.lattice.to_index(hill.point)).astype(int)
        low = np.maximum(middle - REACH, 0)
        high = np.minimum(middle + REACH + 1, searched.lattice.shape)
        planes = searched.data[low[0] : high[0]].reshape(-1, searched.channels, *searched.lattice.shape[1:])
        part = planes[:, :, low[1] : high[1], low[2] : high[2]].astype(np.float32)
        own = np.einsum("c,icjk->ijk", self.own, part)
        index = np.indices(own.shape).reshape(3, -1).T + low
        points = searched.lattice.to_world(index)
        around = map_coordinates(self.around, self.lattice.to_index(points).T, order=1, mode="nearest")
        value = ((1 - SHARE) * own + SHARE * around.reshape(own.shape)).astype(np.float32)
        value[own == 0] = 0
        if within is not None:
            value[(np.linalg.norm(points - within[0], axis=1) > within[1]).reshape(own.shape)] = 0
        if value.max(initial=0) <= 0:
            return None
        best = as_shape(np.unravel_index(value.argmax(), value.shape))
        return Peak(searched.lattice.to_world(refined(value, best) + low), float(value[best]))


def surroundings(
    store: FeatureStore,
    point: np.ndarray,
    own: np.ndarray,
    searched: FeatureStore,
    pool: ThreadPoolExecutor,
    threads: int,
) -> Surroundings | None:
    """How alike the voxel at ``point`` (3,) RAS mm in ``store`` and its surroundings are to all of ``searched``.

    ``own`` is the voxel's vector (C,), for the stores' bytes. None where nothing around the point lies within the
    body: the voxel then has to speak for itself.
    """
    here, there = store.thinned, searched.thinned
    vectors, steps = _around(here, point)
    if not len(vectors):
        return None
    vectors /= SCALE * np.linalg.norm(vectors, axis=1).sum()
    size, reach = there.lattice.shape, int(np.abs(steps).max())
    # Rows end in zeros, so that a step over the end of one falls on nothing: a step is then a shift of the whole plane.
    wide = size[2] + reach
    voxels, margin = size[1] * wide, reach * (wide + 1)
    shifts = margin - (steps[:, 1] * wide + steps[:, 2])
    everything = np.vstack([vectors, own]).astype(np.float32)
    heat = np.zeros((size[0], size[1], wide), np.float32)
    around = np.zeros((size[0] + 2 * reach, voxels), np.float32)

    def work(part: np.ndarray) -> tuple[int, np.ndarray]:
        first = int(part[0])
        found = np.zeros((len(part) + 2 * reach, voxels + 2 * margin), np.float32)
        values = np.zeros((there.channels, size[1], wide), np.float32)
        rows = np.empty((len(everything), voxels), np.float32)
        for i in part:
            values[:, :, : size[2]] = there.data[i].reshape(there.channels, *size[1:])
            np.matmul(everything, values.reshape(there.channels, -1), out=rows)
            for (along, _, _), shift, row in zip(steps, shifts, rows, strict=False):
                found[i - along - first + reach, shift : shift + voxels] += row
            heat[i] = rows[-1].reshape(size[1], wide)
        return first, found[:, margin : margin + voxels]

    parts = [part for part in np.array_split(np.arange(size[0]), threads) if len(part)]
    for first, found in (map if threads == 1 else pool.map)(work, parts):
        around[first : first + len(found)] += found
    heat = heat[:, :, : size[2]]
    around = around[reach : reach + size[0]].reshape(size[0], size[1], wide)[:, :, : size[2]]
    return Surroundings(np.where(heat == 0, 0, (1 - SHARE) * heat + SHARE * around), around, there.lattice, own)


def _around(store: FeatureStore, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, C) of the places around a point that lie in the body, and the steps (n, 3) in voxels to them."""
    steps = np.concatenate([np.rint(distance / store.spacing * DIRECTIONS).astype(int) for distance in DISTANCES])
    places = store.lattice.to_index(point) + steps
    inside = ((places >= 0) & (places <= np.array(store.lattice.shape) - 1)).all(1)
    vectors = store.between(places[inside])
    seen = np.linalg.norm(vectors, axis=1) > FAINT * SCALE
    return vectors[seen], steps[inside][seen]

"""Ask where a voxel lies: its similarity with every voxel of an image, the best match and what competes with it.

numpy alone: the bytes of the store become float32 in blocks that stay in the cache, each thread for its own planes.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from ..errors import DsirError
from ..geometry.lattice import Lattice
from .peaks import Peak, highest
from .store import SCALE, FeatureStore, same_descriptor
from .surroundings import Surroundings, surroundings

BLOCK = 4096
"""Voxels whose vectors are float32 at one time: with 24 channels 0.4 MB, well within a core's own cache."""

TEMPERATURE = 0.05
"""Of the softmax that weighs a peak against the rest (the loss in training uses 0.07)."""

NEAR = 4.0
"""mm; what lies this close to the best match belongs to its peak."""

APART = 8.0
"""mm between two peaks that count as two."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a query found.

    Attributes:
        point: (3,) RAS mm, the voxel asked for.
        similarity: (I, J, K) float32 on ``lattice``; 0 outside the body and the radius. The voxel's cosine with every
            voxel, or with its surroundings' (:mod:`.surroundings`) the weighted mean of all these cosines.
        lattice: of the image searched; of every second voxel of it where the surroundings had a say.
        best: the best match, between voxels.
        runners_up: the next local maxima, at least 8 mm from each other and the best, highest first.
        share: softmax mass within 4 mm of the best match, of all that was searched, 0..1.
        alone: whether the voxel's own vector decided.
    """

    point: np.ndarray
    similarity: np.ndarray
    lattice: Lattice
    best: Peak
    runners_up: tuple[Peak, ...]
    share: float
    alone: bool = True

    @property
    def margin(self) -> float:
        """How much more similar the best match is than the first runner-up."""
        return self.best.similarity - (self.runners_up[0].similarity if self.runners_up else 0.0)


def query(
    store: FeatureStore,
    point: np.ndarray,
    searched: FeatureStore,
    *,
    around: np.ndarray | None = None,
    radius: float | None = None,
    runners_up: int = 4,
    alone: bool = False,
    threads: int | None = None,
    out: np.ndarray | None = None,
) -> Answer:
    """Look for a voxel of one image in another, or in its own.

    Args:
        store: descriptors of the image the point lies in.
        point: (3,) RAS mm.
        searched: descriptors of the image to search, by the same descriptor on a parallel lattice.
        around: (3,) RAS mm in the image searched, the middle of the search; ``point`` itself by default.
        radius: mm; the whole volume by default.
        runners_up: how many to find at most.
        alone: ask by the voxel's own vector only, as in the paper's Figure 1; else its surroundings must fit too,
            which is right more often and takes half the time (measured: Docs/similarity.md).
        threads: of the search; one for each core by default.
        out: (I, J, K) float32 to fill, so that dragging does not ask for fresh memory each time; for
            a voxel alone.

    Raises:
        DsirError: the point lies outside the body, nothing is within the radius, or the two cannot be compared.
    """
    _comparable(store, searched)
    point = np.asarray(point, dtype=np.float64)
    vector = store.at(point) / SCALE
    lattice = searched.lattice
    around = point if around is None else np.asarray(around, dtype=np.float64)
    threads = threads or os.cpu_count() or 1
    with _blas().limit(limits=1, user_api="blas"):  # BLAS threads of their own would fight with ours over the cores
        found = None if alone else surroundings(store, point, vector, searched, _pool(threads), threads)
        if found is not None:
            within = None if radius is None else (around, radius)
            return _with_surroundings(found, point, searched, within, runners_up)
        heat = np.empty(lattice.shape, np.float32) if out is None else out
        box = _box(lattice, around, radius)
        masses = _search(vector, searched, heat, box, threads)
    peaks = highest(heat, lattice, 1 + runners_up, apart=APART, planes=range(box.planes.start, box.planes.stop))
    if not peaks:
        raise DsirError(NOTHING)
    share = _mass_near(heat, lattice, peaks[0].point) / float(masses.sum())
    return Answer(point, heat, lattice, peaks[0], tuple(peaks[1:]), share)


NOTHING = "Nothing in the searched region resembles this point; try a larger radius."


def _with_surroundings(
    found: Surroundings,
    point: np.ndarray,
    searched: FeatureStore,
    within: tuple[np.ndarray, float] | None,
    runners_up: int,
) -> Answer:
    """Hills of half the resolution, their tops at full."""
    heat, lattice = found.heat, found.lattice
    box = _box(lattice, *(within or (point, None)))
    if box.centre is not None:
        heat[: box.planes.start] = heat[box.planes.stop :] = 0
        for i in range(box.planes.start, box.planes.stop):
            _round_off(heat[i], i, box.centre, box.reach)
    hills = highest(heat, lattice, 2 + runners_up, apart=APART)
    tops = [top for hill in hills if (top := found.top(hill, searched, within))]
    if not tops:
        raise DsirError(NOTHING)
    peaks: list[Peak] = []
    for top in sorted(tops, key=lambda peak: -peak.similarity):
        if all(np.linalg.norm(top.point - peak.point) >= APART for peak in peaks):
            peaks.append(top)
    whole = float(np.exp(heat / TEMPERATURE).sum())
    share = _mass_near(heat, lattice, peaks[0].point) / whole
    return Answer(point, heat, lattice, peaks[0], tuple(peaks[1 : 1 + runners_up]), share, alone=False)


@dataclass(frozen=True, eq=False)
class _Box:
    """The part to search: planes, columns within a plane, and the squared distances that round its corners off."""

    planes: slice
    columns: slice
    centre: np.ndarray | None = None
    reach: float = 0.0


def _comparable(store: FeatureStore, searched: FeatureStore) -> None:
    names = store.descriptor.get("descriptor"), searched.descriptor.get("descriptor")
    if store.channels != searched.channels or not same_descriptor(store.descriptor, searched.descriptor):
        raise DsirError(
            f"The two images are described in different ways ({names[0]}, {names[1]}); describe both alike."
        )
    if abs(store.spacing - searched.spacing) > 1e-3:
        raise DsirError(
            f"The two images are described at different spacings ({store.spacing:g} and {searched.spacing:g} mm)."
        )


def _box(lattice: Lattice, centre: np.ndarray, radius: float | None) -> _Box:
    shape = lattice.shape
    if radius is None:
        return _Box(slice(0, shape[0]), slice(0, shape[1] * shape[2]))
    index, reach = lattice.to_index(centre), radius / float(lattice.spacing[0])
    low = np.clip(np.ceil(index - reach), 0, shape).astype(int)
    high = np.clip(np.floor(index + reach) + 1, 0, shape).astype(int)
    if (high <= low).any():
        raise DsirError(f"Nothing of the image lies within {radius:g} mm of where the search begins.")
    return _Box(slice(low[0], high[0]), slice(low[1] * shape[2], high[1] * shape[2]), index, reach)


def _search(vector: np.ndarray, searched: FeatureStore, heat: np.ndarray, box: _Box, threads: int) -> np.ndarray:
    """Fill ``heat``; returns the softmax mass (I,) of each plane."""
    flat = heat.reshape(heat.shape[0], -1)
    masses = np.zeros(heat.shape[0])
    if box.centre is not None:
        heat[:] = 0
    planes = np.arange(box.planes.start, box.planes.stop)

    def work(part: np.ndarray) -> None:
        block = np.empty((searched.channels, BLOCK), np.float32)
        weights = np.empty(flat.shape[1], np.float32)
        for i in part:
            row, plane = flat[i], searched.data[i]
            for start in range(box.columns.start, box.columns.stop, BLOCK):
                stop = min(start + BLOCK, box.columns.stop)
                values = block[:, : stop - start]
                np.copyto(values, plane[:, start:stop])
                np.dot(vector, values, out=row[start:stop])
            if box.centre is not None:
                _round_off(row.reshape(heat.shape[1:]), i, box.centre, box.reach)
            masses[i] = np.exp(np.multiply(row, 1 / TEMPERATURE, out=weights), out=weights).sum()

    if threads == 1 or len(planes) < 2:
        work(planes)
    else:
        list(_pool(threads).map(work, np.array_split(planes, threads)))
    return masses


def _round_off(plane: np.ndarray, i: int, centre: np.ndarray, reach: float) -> None:
    j = np.arange(plane.shape[0])[:, None] - centre[1]
    k = np.arange(plane.shape[1])[None] - centre[2]
    plane[j * j + k * k + (i - centre[0]) ** 2 > reach**2] = 0


def _mass_near(heat: np.ndarray, lattice: Lattice, point: np.ndarray) -> float:
    """Softmax mass within :data:`NEAR` of a point."""
    index, reach = lattice.to_index(point), NEAR / float(lattice.spacing[0])
    low = np.clip(np.ceil(index - reach), 0, None).astype(int)
    high = np.clip(np.floor(index + reach) + 1, 0, heat.shape).astype(int)
    part = heat[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    distance = sum(
        (np.arange(a, b).reshape([-1 if n == axis else 1 for n in range(3)]) - index[axis]) ** 2
        for axis, (a, b) in enumerate(zip(low, high, strict=True))
    )
    return float(np.exp(part[distance <= reach**2] / TEMPERATURE).sum())


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="dsir-query")


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()

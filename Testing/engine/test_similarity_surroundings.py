"""A voxel asked for together with what lies around it: the place where all of it fits."""

from __future__ import annotations

import numpy as np
import pytest
from dsir.geometry.lattice import Lattice
from dsir.similarity.query import query
from dsir.similarity.store import FeatureStore, pack
from dsir.similarity.surroundings import DISTANCES, SHARE
from grids import lattice
from scipy.ndimage import gaussian_filter

SHAPE = (44, 41, 38)
GRID = lattice(SHAPE, (2.0, 2.0, 2.0), degrees=17)


def vectors(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """(C, I, J, K) unit vectors that change within 10 mm."""
    rng = np.random.default_rng(seed)
    values = gaussian_filter(rng.standard_normal((8, *shape)), (0, 2.5, 2.5, 2.5))
    return values / np.linalg.norm(values, axis=0)


def stored(values: np.ndarray, mask: np.ndarray | None = None, grid: Lattice = GRID) -> FeatureStore:
    mask = np.ones(values.shape[1:]) if mask is None else mask
    return FeatureStore(pack(values, mask), grid, {"descriptor": "random"}, "")


def test_of_two_places_that_look_the_same_the_one_with_the_same_surroundings_is_found() -> None:
    there = vectors()
    asked, twin = (np.array([22, 20, 19]), np.array([12, 28, 12]))
    reach = 4
    cut, copy = (tuple(slice(n - reach, n + reach + 1) for n in place) for place in (asked, twin))
    there[(slice(None), *copy)] = there[(slice(None), *cut)]
    store, point = stored(there), GRID.to_world(asked)
    alone, together = query(store, point, store, alone=True), query(store, point, store)
    assert alone.margin < 0.02
    assert together.margin > 0.3
    assert np.linalg.norm(together.best.point - point) < 1.0


def test_the_heat_map_is_the_weighted_mean_of_the_cosines_of_the_places() -> None:
    store = stored(vectors())
    half = store.thinned
    coarse = half.data.reshape(half.lattice.shape[0], 8, *half.lattice.shape[1:]).swapaxes(0, 1) / 127
    voxel = np.array([11, 10, 9])
    answer = query(store, half.lattice.to_world(voxel), store)
    steps = [np.rint(d / 4.0 * v / np.linalg.norm(v)).astype(int) for d in DISTANCES for v in _directions()]
    steps = [s for s in steps if ((voxel + s >= 0) & (voxel + s < half.lattice.shape)).all()]
    asked = [coarse[(slice(None), *(voxel + s))] for s in steps]
    kept = [(s, v) for s, v in zip(steps, asked, strict=True) if np.linalg.norm(v) > 0.3]
    own = store.at(half.lattice.to_world(voxel))
    for place in ((11, 10, 9), (3, 15, 12), (21, 2, 5), (0, 0, 18)):
        around = sum(
            v @ coarse[(slice(None), *(np.array(place) + s))]
            for s, v in kept
            if ((np.array(place) + s >= 0) & (np.array(place) + s < half.lattice.shape)).all()
        ) / sum(np.linalg.norm(v) for _, v in kept)
        expected = (1 - SHARE) * own @ coarse[(slice(None), *place)] + SHARE * around
        assert answer.similarity[place] == pytest.approx(expected, abs=1e-4)


def _directions() -> list[np.ndarray]:
    every = [np.array(d) - 1 for d in np.ndindex(3, 3, 3)]
    return [d for d in every if np.abs(d).sum() in (1, 3)]


def test_the_number_of_threads_changes_nothing() -> None:
    here, there = stored(vectors()), stored(vectors(1))
    one, three = (query(here, GRID.centre, there, threads=n) for n in (1, 3))
    assert np.allclose(one.similarity, three.similarity, atol=1e-6)
    assert np.allclose(one.best.point, three.best.point, atol=1e-3)


def test_within_a_radius_nothing_beyond_it_is_found() -> None:
    here, there = stored(vectors()), stored(vectors(1))
    answer = query(here, GRID.centre, there, radius=12.0)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in answer.lattice.shape), indexing="ij"), -1)
    far = np.linalg.norm(answer.lattice.to_world(index) - GRID.centre, axis=-1) > 12.0
    assert not answer.similarity[far].any()
    assert answer.similarity[~far].all()
    for peak in (answer.best, *answer.runners_up):
        assert np.linalg.norm(peak.point - GRID.centre) < 12.0 + 1.0 * np.sqrt(3)


def test_outside_the_body_nothing_is_similar() -> None:
    mask = np.zeros(SHAPE)
    mask[8:40, 6:36, 4:34] = 1
    store = stored(vectors(), mask)
    answer = query(store, GRID.centre, store)
    inside = answer.lattice.to_index(GRID.to_world(np.array([20, 20, 20]))).round().astype(int)
    assert answer.similarity[tuple(inside)] != 0
    assert not answer.similarity[:4].any()
    assert np.linalg.norm(answer.best.point - GRID.centre) < 1.0


def test_a_voxel_without_surroundings_speaks_for_itself() -> None:
    mask = np.zeros(SHAPE)
    mask[20:25, 18:23, 17:22] = 1
    store = stored(vectors(), mask)
    answer = query(store, GRID.to_world(np.array([22, 20, 19])), store)
    assert answer.alone
    assert np.linalg.norm(answer.best.point - GRID.to_world(np.array([22, 20, 19]))) < 1.0


@pytest.mark.parametrize("shape", [(8, 6, 4), (7, 5, 9), (1, 4, 3)])
def test_thinned_voxels_lie_in_the_middle_of_what_they_are_the_mean_of(shape: tuple[int, int, int]) -> None:
    grid = lattice(shape, (2.0, 2.0, 2.0), degrees=31, left_handed=True)
    values = vectors(2, shape)
    half = stored(values, grid=grid).thinned
    assert half.lattice.shape == tuple(-(-n // 2) for n in shape)
    assert np.allclose(half.lattice.spacing, 4.0)
    assert np.allclose(half.lattice.to_world(np.zeros(3)), grid.to_world(np.full(3, 0.5)))
    mean = values[:, :2, :2, :2].sum((1, 2, 3)) / 8  # beyond the lattice there is nothing: zeros
    assert np.abs(half.data[0, :, 0] / 127 - mean).max() < 0.01

"""Clicking a voxel: the answer lies where the anatomy lies, on every lattice a clinic sends."""

from __future__ import annotations

import itertools
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from dsir.errors import DsirError
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.similarity.describe import describe_image, fingerprint
from dsir.similarity.peaks import highest
from dsir.similarity.query import query
from dsir.similarity.store import FeatureStore, pack, read_store, write_store
from grids import lattice

SHIFT = np.array([7.3, -5.1, 4.6])
GRIDS = {
    "plain": lattice((40, 36, 32)),
    "oblique": lattice((40, 36, 32), degrees=23),
    "left-handed": lattice((40, 36, 32), degrees=-37, left_handed=True),
    "anisotropic": lattice((56, 52, 24), (1.5, 1.5, 3.0), degrees=11),
}


class Patch:
    """Each voxel as the 125 intensities around it, 2 voxels apart, mean taken off: it knows a place for certain.

    Like every descriptor it depends on the axes of its lattice, so wrong axes are found out.
    """

    name, channels, spacing, margin = "patch", 125, 2.0, 4
    identity: ClassVar = {"descriptor": "patch", "steps": (0, 2, 4)}

    def normalise(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return volume

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        padded = F.pad(normalised[None, None], [4] * 6, mode="replicate")[0, 0]
        size = normalised.shape
        steps = itertools.product(range(0, 9, 2), repeat=3)
        parts = [padded[a : a + size[0], b : b + size[1], c : c + size[2]] for a, b, c in steps]
        values = torch.stack(parts)
        return F.normalize(values - values.mean(0), dim=0)

    def __call__(self, volume: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.describe(volume)


def texture(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """A smooth, never repeating scalar at RAS points (..., 3), structures of 12 to 40 mm."""
    rng = np.random.default_rng(seed)
    waves = rng.standard_normal((60, 3))
    waves *= (2 * np.pi / rng.uniform(12, 40, 60) / np.linalg.norm(waves, axis=1))[:, None]
    return np.cos(points @ waves.T + rng.uniform(0, 6, 60)).sum(-1)


def textured(grid: Lattice, shift: np.ndarray | float = 0.0) -> Image:
    """The texture on a lattice, moved by ``shift`` mm."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    return Image(torch.from_numpy(texture(grid.to_world(index) - shift).astype(np.float32)), grid)


def everything(image: Image) -> torch.Tensor:
    return torch.ones(image.lattice.shape, dtype=torch.bool)


def described(image: Image) -> FeatureStore:
    return describe_image(image, Patch(), mask=everything(image))


@cache
def plain() -> FeatureStore:
    """The texture on a plain grid, described."""
    return described(textured(GRIDS["plain"]))


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with surroundings"])
def test_the_best_match_in_a_shifted_copy_lies_within_half_a_voxel_of_the_truth(grid: Lattice, alone: bool) -> None:
    here, there = plain(), described(textured(grid, SHIFT))
    rng = np.random.default_rng(1)
    for _ in range(5):
        point = GRIDS["plain"].centre + rng.uniform(-10, 10, 3)
        answer = query(here, point, there, alone=alone)
        assert answer.alone == alone
        assert np.abs(answer.best.point - (point + SHIFT)).max() < 1.0
        assert answer.margin > 0.1
        assert answer.share > 0.5


def test_a_voxel_finds_itself_in_its_own_image() -> None:
    store = described(textured(GRIDS["oblique"]))
    voxel = store.lattice.to_world(np.array(store.lattice.shape) // 2)
    answer = query(store, voxel, store, alone=True)
    assert np.linalg.norm(answer.best.point - voxel) < 0.3
    assert answer.best.similarity == pytest.approx(1.0, abs=0.02)


def test_the_heat_map_is_the_cosine_of_every_voxel() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((6, 9, 8, 7)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=0)
    grid = lattice((9, 8, 7))
    store = FeatureStore(pack(vectors, np.ones(grid.shape)), grid, {"descriptor": "random"}, "")
    answer = query(store, grid.to_world(np.array([4, 3, 2])), store, alone=True, threads=2)
    expected = np.einsum("c,cijk->ijk", vectors[:, 4, 3, 2], vectors)
    assert np.abs(answer.similarity - expected).max() < 0.02


def test_a_radius_leaves_everything_beyond_it_at_zero_and_agrees_within() -> None:
    here, there = plain(), described(textured(GRIDS["plain"], SHIFT))
    point = GRIDS["plain"].centre
    whole, part = (query(here, point, there, radius=radius, alone=True) for radius in (None, 15.0))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in there.lattice.shape), indexing="ij"), -1)
    inside = np.linalg.norm(there.lattice.to_world(index) - point, axis=-1) <= 15.0
    assert not part.similarity[~inside].any()
    assert np.allclose(part.similarity[inside], whole.similarity[inside], atol=1e-5)
    assert np.allclose(part.best.point, whole.best.point, atol=1e-3)
    assert part.share > whole.share


def test_the_search_can_begin_elsewhere_than_at_the_point() -> None:
    far = np.array([300.0, 0.0, 0.0])
    grid = Lattice(GRIDS["plain"].shape, GRIDS["plain"].window(np.array([150, 0, 0]), GRIDS["plain"].shape).affine)
    here, there = plain(), described(textured(grid, far))
    point = GRIDS["plain"].centre
    assert np.linalg.norm(query(here, point, there, around=point + far, radius=20).best.point - point - far) < 1.0
    with pytest.raises(DsirError, match="within 20 mm"):
        query(here, point, there, radius=20)


def test_runners_up_are_hills_of_their_own_and_sorted() -> None:
    heat = np.zeros((40, 30, 20), np.float32)
    hills = {(8, 8, 8): 0.9, (30, 20, 10): 0.8, (20, 10, 5): 0.6, (9, 11, 8): 0.85}
    grids = np.indices(heat.shape)
    for centre, height in hills.items():
        distance = sum((g - c) ** 2 for g, c in zip(grids, centre, strict=True))
        heat = np.maximum(heat, height * np.exp(-distance / 18)).astype(np.float32)
    found = highest(heat, lattice(heat.shape, (1.0, 1.0, 1.0)), 4, apart=8.0)
    assert [round(peak.similarity, 2) for peak in found] == [0.9, 0.8, 0.6]


def test_a_point_outside_is_refused_in_one_sentence() -> None:
    store = plain()
    with pytest.raises(DsirError, match=r"\(500.0, 0.0, 0.0\) mm \(RAS\) lies outside"):
        query(store, np.array([500.0, 0, 0]), store)


def test_a_point_in_the_air_is_refused_in_one_sentence() -> None:
    image = textured(GRIDS["plain"])
    body = everything(image)
    body[:, :18] = False
    store = describe_image(image, Patch(), mask=body)
    air = GRIDS["plain"].to_world(np.array([20, 16, 16]) - np.array([0, 1, 0]))
    assert store.lattice.contains(air)
    with pytest.raises(DsirError, match="no structure"):
        query(store, air, store)


def test_features_of_an_image_that_has_changed_are_refused() -> None:
    image = textured(GRIDS["plain"])
    store = described(image)
    store.check(fingerprint(image), Patch().identity)
    changed = Image(image.data.clone(), image.lattice)
    changed.data[3, 3, 3] += 1
    with pytest.raises(DsirError, match="has changed"):
        store.check(fingerprint(changed), Patch().identity)
    with pytest.raises(DsirError, match="another version"):
        store.check(fingerprint(image), {"descriptor": "mind", "sha256": "other"})


def test_images_described_differently_cannot_be_compared() -> None:
    store = plain()
    other = FeatureStore(store.data, store.lattice, {"descriptor": "other"}, store.image)
    with pytest.raises(DsirError, match="different ways"):
        query(store, GRIDS["plain"].centre, other)


def test_a_store_on_disk_answers_as_the_one_in_memory(tmp_path: Path) -> None:
    store = described(textured(GRIDS["oblique"]))
    write_store(tmp_path / "features.npy", store)
    mapped = read_store(tmp_path / "features.npy")
    assert isinstance(mapped.data, np.memmap)
    assert mapped.image == store.image
    point = GRIDS["oblique"].centre
    assert np.array_equal(query(mapped, point, store).similarity, query(store, point, store).similarity)
    assert np.array_equal(query(mapped, point, mapped).similarity, query(store, point, store).similarity)


@pytest.mark.parametrize("content", [b"", b"no features", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_store_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "features.npy").write_bytes(content)
    with pytest.raises(DsirError, match="holds no features"):
        read_store(tmp_path / "features.npy")


def test_a_query_needs_no_torch(tmp_path: Path) -> None:
    store = plain()
    write_store(tmp_path / "features.npy", store)
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from dsir.similarity.query import query\n"
        "from dsir.similarity.store import read_store\n"
        f"store = read_store({str(tmp_path / 'features.npy')!r})\n"
        "print(query(store, store.lattice.centre, store, alone=True).best.similarity)\n"
        "print(query(store, store.lattice.centre, store).best.similarity)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    alone, together = map(float, done.stdout.split())
    assert alone > 0.9
    assert together > 0.7

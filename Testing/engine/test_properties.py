"""What must hold for every grid, transform and file, tried on many that nobody chose (the same ones each time)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dsir.errors import DsirError
from dsir.files.images import read_image, write_image
from dsir.files.landmarks import LandmarkPairs, read_landmarks, write_landmarks
from dsir.files.points import read_points
from dsir.files.transforms import read_transform, write_transform
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

EACH = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

mm = st.floats(-500, 500, allow_subnormal=False)
points = st.lists(st.tuples(mm, mm, mm), min_size=1, max_size=6).map(lambda rows: np.array(rows, dtype=np.float64))
turns = st.tuples(*[st.floats(-180, 180)] * 3).map(lambda a: Rotation.from_euler("xyz", a, degrees=True).as_matrix())


@st.composite
def lattices(draw: st.DrawFn) -> Lattice:
    """Oblique, anisotropic, left-handed, far away: whatever a scanner may write."""
    spacing = np.array([draw(st.floats(0.3, 6.0)) for _ in range(3)]) * [
        draw(st.sampled_from([-1, 1])) for _ in range(3)
    ]
    affine = np.eye(4)
    affine[:3, :3] = draw(turns) * spacing
    affine[:3, 3] = [draw(mm) for _ in range(3)]
    return Lattice(tuple(draw(st.integers(2, 7)) for _ in range(3)), affine)


@st.composite
def linears(draw: st.DrawFn) -> Linear:
    matrix = np.eye(4)
    matrix[:3, :3] = draw(turns) * [draw(st.floats(0.5, 2.0)) for _ in range(3)]
    matrix[:3, 3] = [draw(mm) for _ in range(3)]
    return Linear(matrix)


@EACH
@given(lattices(), points)
def test_index_and_world_are_each_others_inverse(lattice: Lattice, at: np.ndarray) -> None:
    np.testing.assert_allclose(lattice.to_world(lattice.to_index(at)), at, atol=1e-6)
    assert lattice.contains(lattice.corners().mean(0)) and lattice.matches(Lattice(lattice.shape, lattice.affine))


@EACH
@given(lattices(), st.floats(0.5, 8.0))
def test_another_spacing_keeps_the_box_and_its_middle(lattice: Lattice, spacing: float) -> None:
    other = lattice.with_spacing(spacing)
    np.testing.assert_allclose(other.centre, lattice.centre, atol=1e-6)
    np.testing.assert_allclose(other.spacing, spacing, rtol=1e-9)
    assert (other.extent >= lattice.extent - 1e-2 * spacing).all() and (other.extent < lattice.extent + spacing).all()


@EACH
@given(st.lists(linears(), min_size=1, max_size=3), points)
def test_a_chain_is_its_parts_one_after_the_other_and_its_inverse_leads_back(
    parts: list[Linear], at: np.ndarray
) -> None:
    chain, moved = Transform(tuple(parts)), at
    for part in parts:
        moved = part.transform_points(moved)
    np.testing.assert_allclose(chain.transform_points(at), moved, atol=1e-6)
    back = chain.inverse(Lattice((2, 2, 2), np.eye(4)))
    np.testing.assert_allclose(back.transform_points(moved), at, atol=1e-3)


@EACH
@given(lattices(), st.integers(0, 2**31 - 1))
def test_a_field_is_what_it_says_at_its_own_voxels(lattice: Lattice, seed: int) -> None:
    vectors = torch.randn(3, *lattice.shape, generator=torch.Generator().manual_seed(seed))
    index = np.stack(np.meshgrid(*map(np.arange, lattice.shape), indexing="ij"), -1)
    found = DisplacementField(vectors, lattice).at(lattice.to_world(index).reshape(-1, 3))
    np.testing.assert_allclose(found, vectors.movedim(0, -1).reshape(-1, 3), atol=2e-3)


@EACH
@given(lattices(), st.sampled_from([".nii", ".nii.gz", ".nrrd", ".mha"]), st.integers(0, 2**31 - 1))
def test_an_image_is_read_as_it_was_written(tmp_path: Path, lattice: Lattice, suffix: str, seed: int) -> None:
    values = torch.randn(lattice.shape, generator=torch.Generator().manual_seed(seed))
    write_image(tmp_path / f"image{suffix}", Image(values, lattice))
    again = read_image(tmp_path / f"image{suffix}")
    assert torch.equal(again.data, values) and again.lattice.matches(lattice)


@EACH
@given(linears(), points, st.sampled_from([".h5", ".tfm"]))
def test_a_transform_is_read_as_it_was_written(tmp_path: Path, linear: Linear, at: np.ndarray, suffix: str) -> None:
    write_transform(tmp_path / f"t{suffix}", Transform((linear,)))
    again = read_transform(tmp_path / f"t{suffix}")
    np.testing.assert_allclose(again.transform_points(at), linear.transform_points(at), atol=1e-6)


@EACH
@given(points, st.floats(0.1, 20.0), st.floats(0.0, 1.0))
def test_pairs_are_read_as_they_were_written(tmp_path: Path, at: np.ndarray, tolerance: float, sure: float) -> None:
    pairs = LandmarkPairs(at, -at, np.full(len(at), tolerance), np.full(len(at), sure))
    write_landmarks(tmp_path / "pairs.csv", pairs)
    again = read_landmarks(tmp_path / "pairs.csv")
    for name in ("fixed", "moving", "tolerance", "confidence"):
        np.testing.assert_allclose(getattr(again, name), getattr(pairs, name), atol=1e-3)


@EACH
@given(st.binary(max_size=200))
def test_no_bytes_make_a_reader_of_points_break(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any.csv").write_bytes(content)
    for read in (read_points, read_landmarks):
        try:
            read(tmp_path / "any.csv")
        except DsirError as error:
            assert str(error)


@EACH
@given(st.floats(0.5, 8.0), st.integers(0, 99), st.sampled_from(["none", "rigid", "affine"]))
def test_settings_are_read_as_they_were_written(spacing: float, seed: int, model: str) -> None:
    wanted = RegistrationSettings.from_json({"spacing": spacing, "seed": seed, "linear": {"model": model}})
    assert RegistrationSettings.from_json(wanted.to_json()) == wanted
    with pytest.raises(DsirError, match="spacing"):
        RegistrationSettings.from_json({"spacing": -spacing})

"""Where not to trust a registration, and the pairs that steer it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.features.mind import Mind
from dsir.files.images import read_image, write_image, write_labels
from dsir.files.landmarks import LandmarkPairs, read_landmarks, write_landmarks
from dsir.files.transforms import write_transform
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.similarity.confidence import ConfidenceMap, confidence_of, evidence_of
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from dsir.transforms.rigid_fit import rigid_fit
from grids import lattice, rotation

pytestmark = pytest.mark.slow

GRID = lattice((44, 40, 36), degrees=15, left_handed=True)


def voxels(grid: Lattice) -> np.ndarray:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    return grid.to_world(index)


@pytest.fixture(scope="module")
def scan() -> Image:
    rng = np.random.default_rng(3)
    waves = rng.standard_normal((60, 3))
    waves *= (2 * np.pi / rng.uniform(10, 36, 60) / np.linalg.norm(waves, axis=1))[:, None]
    return Image(torch.from_numpy(np.cos(voxels(GRID) @ waves.T).sum(-1).astype(np.float32)), GRID)


@pytest.fixture(scope="module")
def half_wrong(scan: Image) -> ConfidenceMap:
    """The truth is the identity; the transform is 10 mm off in the half with the larger S coordinates."""
    vectors = torch.zeros(3, *GRID.shape)
    vectors[0] = torch.from_numpy(np.where(voxels(GRID)[..., 2] > GRID.centre[2] + 4, 10.0, 0.0))
    wrong = Transform((DisplacementField(vectors, GRID),))
    mask = torch.ones(GRID.shape, dtype=torch.bool)
    return confidence_of(scan, scan, wrong, Mind(), mask=mask)


def test_the_wrong_half_is_trusted_less_than_the_right_one(half_wrong: ConfidenceMap) -> None:
    height = voxels(half_wrong.lattice)[..., 2] - GRID.centre[2]
    right = half_wrong.confidence[half_wrong.body & torch.from_numpy(height < -8)]
    wrong = half_wrong.confidence[half_wrong.body & torch.from_numpy(height > 12)]
    assert right.mean() > 0.8
    assert wrong.mean() < 0.5
    assert right.mean() > wrong.mean() + 0.3


def test_the_distance_of_the_best_match_is_the_transforms_error(half_wrong: ConfidenceMap) -> None:
    height = voxels(half_wrong.lattice)[..., 2] - GRID.centre[2]
    wrong = half_wrong.distance[half_wrong.body & torch.from_numpy(height > 12)]
    assert 6.0 < wrong.median() < 14.0


def test_an_error_below_the_maps_voxels_is_seen(scan: Image) -> None:
    """The map's voxels are 4 mm: half of that lies between two of them."""
    mask = torch.ones(GRID.shape, dtype=torch.bool)
    for mm in (0.0, 2.0):
        matrix = np.eye(4)
        matrix[0, 3] = mm
        found = confidence_of(scan, scan, Transform((Linear(matrix),)), Mind(), mask=mask)
        assert float(found.distance[found.body].median()) == pytest.approx(mm, abs=0.6)


def test_the_expected_error_is_larger_where_nothing_is_seen(scan: Image) -> None:
    height = torch.from_numpy(voxels(GRID)[..., 2] - GRID.centre[2])
    half = Image(torch.where(height > 0, 0.0, scan.data), GRID)
    noisy = Image(half.data + torch.randn(GRID.shape, generator=torch.Generator().manual_seed(1)), GRID)
    found = evidence_of(half, noisy, Transform(), Mind(), mask=torch.ones(GRID.shape, dtype=torch.bool))
    at = voxels(found.lattice)[..., 2] - GRID.centre[2]
    expected = found.values[4].exp()
    seen, blank = (expected[found.body & torch.from_numpy(part)].mean() for part in (at < -10, at > 10))
    assert blank > 1.5 * seen


def test_every_structure_gets_its_own_number(half_wrong: ConfidenceMap) -> None:
    labels = torch.from_numpy(np.where(voxels(GRID)[..., 2] > GRID.centre[2] + 12, 2, 0).astype(np.int32))
    labels[torch.from_numpy(voxels(GRID)[..., 2] < GRID.centre[2] - 8)] = 1
    low, high = half_wrong.structures(labels, GRID, {1: "right", 2: "wrong"})
    assert (low.name, high.name) == ("right", "wrong")
    assert low.doubtful < 0.2 < high.doubtful


def test_landmark_pairs_come_back_from_a_file_as_they_went(tmp_path: Path) -> None:
    pairs = LandmarkPairs.none().with_pair([1, 2, 3], [4, 5, 6.25], tolerance=3).with_pair([0, 0, 0], [1, 1, 1])
    write_landmarks(tmp_path / "p.csv", pairs)
    again = read_landmarks(tmp_path / "p.csv")
    assert np.allclose(again.moving, pairs.moving)
    assert again.tolerance.tolist() == [3.0, 2.0]
    assert len(again.without(0)) == 1


def test_the_plain_six_columns_are_enough(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("name,fx,fy,fz,mx,my,mz\na,1,2,3,4,5,6\n")
    assert read_landmarks(tmp_path / "p.csv").confidence.tolist() == [1.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no landmark pairs"),
        ("x,y,z\n1,2,3\n", "no column fx"),
        ("fx,fy,fz,mx,my,mz\n1,2,3,4,5\n", "six numbers"),
        ("fx,fy,fz,mx,my,mz,tolerance\n1,2,3,4,5,6,-1\n", "tolerance"),
        ("fx,fy,fz,mx,my,mz\n1,2,3,4,5,nan\n", "not finite"),
    ],
)
def test_a_bad_landmark_file_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DsirError, match=said) as error:
        read_landmarks(tmp_path / "p.csv")
    assert "p.csv" in str(error.value)


def test_three_pairs_give_back_a_rigid_motion_and_one_a_shift() -> None:
    fixed = np.array([[0.0, 0, 0], [40, 0, 0], [0, 50, 10], [5, 5, 60]])
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation(25), [60.0, -5, 3]
    moving = fixed @ motion[:3, :3].T + motion[:3, 3]
    ones = np.ones(4)
    assert np.allclose(rigid_fit(fixed, moving, ones).matrix, motion, atol=1e-9)
    shift = rigid_fit(fixed[:1], moving[:1], ones[:1]).matrix
    assert np.allclose(shift[:3, :3], np.eye(3))
    assert np.allclose(shift[:3, 3], moving[0] - fixed[0])
    line = np.outer([0.0, 10, 30], [1, 2, 2])
    on_a_line = rigid_fit(line, line + np.array([5.0, 0, 0]), np.ones(3)).matrix
    assert np.allclose(on_a_line[:3], np.c_[np.eye(3), [5, 0, 0]])


def test_the_command_writes_the_map_and_a_line_for_each_structure(
    scan: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "scan.nii.gz", scan)
    write_transform(tmp_path / "t.tfm", Transform((Linear(np.eye(4)),)))
    write_labels(tmp_path / "labels.nii.gz", torch.ones(GRID.shape, dtype=torch.int32), GRID)
    (tmp_path / "names.csv").write_text("value,name\n1,everything\n")
    words = ["confidence", "--fixed", str(tmp_path / "scan.nii.gz"), "--moving", str(tmp_path / "scan.nii.gz")]
    words += ["-t", str(tmp_path / "t.tfm"), "--labels", str(tmp_path / "labels.nii.gz")]
    words += ["--names", str(tmp_path / "names.csv"), "--descriptor", "mind", "-o", str(tmp_path / "c.nii.gz")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "everything  confidence 1.00" in said and "100 % is sure (0.9 and above)" in said  # a scan with itself
    confidence = read_image(tmp_path / "c.nii.gz").data
    assert 0.7 < float(confidence[confidence > 0].mean()) <= 1.0

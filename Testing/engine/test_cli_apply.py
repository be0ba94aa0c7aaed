"""``dsir apply`` on things whose place is known."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dsir.cli.main import main
from dsir.files.transforms import write_transform
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear

SHIFT = np.array([6.0, -3.0, 9.0])
"""mm: the fixed point x lies at x + SHIFT in moving."""

SHAPE = (20, 18, 16)
AFFINE = np.array([[-3.0, 0, 0, 30], [0, 0, 3, -20], [0, 3, 0, -15], [0, 0, 0, 1]])
"""3 mm, axes permuted and one of them turned round."""


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A shift by whole voxels, a reference, and a box of labels, three points and a triangle, all on moving."""
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    write_transform(tmp_path / "shift.h5", Transform((Linear(matrix),)))
    labels = np.zeros(SHAPE, np.uint8)
    labels[6:10, 7:12, 5:9] = 4
    nib.save(nib.Nifti1Image(labels, AFFINE), tmp_path / "labels.nii.gz")
    ramp = np.indices(SHAPE).sum(0).astype(np.float32)
    nib.save(nib.Nifti1Image(ramp, AFFINE), tmp_path / "image.nii.gz")
    (tmp_path / "points.csv").write_text("name,x,y,z\na,1,2,3\nb,-4,5,-6\n")
    corners = "".join(f"vertex {x} {y} {z}\n" for x, y, z in ((0, 0, 0), (10, 0, 0), (0, 10, 0)))
    (tmp_path / "mesh.stl").write_text(
        f"solid RAS SPACE=RAS\nfacet normal 0 0 1\nouter loop\n{corners}endloop\nendfacet\nendsolid\n"
    )
    return tmp_path


def apply(scene: Path, *words: str) -> int:
    return main(["apply", "-t", str(scene / "shift.h5"), "--threads", "1", *words])


def test_labels_move_against_the_transform(scene: Path) -> None:
    words = [f"--reference={scene}/image.nii.gz", f"--labels={scene}/labels.nii.gz", f"--out={scene}/x.nii.gz"]
    assert apply(scene, *words) == 0
    moved, before = (nib.load(scene / name) for name in ("x.nii.gz", "labels.nii.gz"))

    def centre(file: nib.Nifti1Image) -> np.ndarray:
        return nib.affines.apply_affine(file.affine, np.argwhere(np.asarray(file.dataobj) == 4)).mean(0)

    np.testing.assert_allclose(centre(moved), centre(before) - SHIFT, atol=1e-3)
    assert np.count_nonzero(moved.dataobj) == np.count_nonzero(before.dataobj)


@pytest.mark.parametrize(("direction", "sign"), [([], -1), (["--invert"], 1)])
def test_points_go_from_moving_to_fixed_or_back(scene: Path, direction: list[str], sign: int) -> None:
    assert apply(scene, "--points", f"{scene}/points.csv", "-o", f"{scene}/moved.csv", *direction) == 0
    lines = (scene / "moved.csv").read_text().splitlines()
    assert lines[0] == "name,x,y,z"
    np.testing.assert_allclose([float(v) for v in lines[1].split(",")[1:]], np.array([1, 2, 3]) + sign * SHIFT)


def test_several_things_go_to_one_folder_under_their_own_names(scene: Path) -> None:
    things = {"image": "image.nii.gz", "labels": "labels.nii.gz", "points": "points.csv", "mesh": "mesh.stl"}
    words = [f"--{kind}={scene}/{name}" for kind, name in things.items()]
    assert apply(scene, *words, f"--reference={scene}/image.nii.gz", "--interpolation=cubic", f"--out={scene}/all") == 0
    names = {file.name for file in (scene / "all").iterdir() if not file.name.startswith(".")}
    assert names == set(things.values())


def test_one_bad_thing_among_several_leaves_no_folder(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scene / "bad.stl").write_text("solid nothing\nendsolid\n")
    assert apply(scene, f"--points={scene}/points.csv", f"--mesh={scene}/bad.stl", "-o", f"{scene}/all") == 2
    assert "bad.stl" in capsys.readouterr().err
    assert not (scene / "all").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "nothing to transform"),
        (["--labels", "labels.nii.gz"], "--reference"),
        (["--points", "points.csv", "-o", "points.csv", "--overwrite"], "input"),
        (["--points", "nowhere.csv"], "nowhere.csv"),
        (["--mesh", "points.csv"], "points.csv"),
        (["--points", "points.csv", "-o", "mesh.stl"], "--overwrite"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str],
    expected: str,
    scene: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(scene)
    before = {file.name: file.read_bytes() for file in scene.iterdir()}
    assert apply(scene, *(words if "-o" in words else [*words, "-o", "out.csv"])) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("dsir: ")]
    assert len(said) == 1
    assert expected in said[0]
    assert {file.name: file.read_bytes() for file in scene.iterdir()} == before


def test_a_program_that_watches_gets_json(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert apply(scene, "--points", f"{scene}/points.csv", "-o", f"{scene}/moved.csv", "--json-progress") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["result"] == str(scene / "moved.csv")

"""``dsir evaluate`` and ``dsir features`` on things whose answer is known."""

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

AFFINE = np.diag([2.0, 2.0, 4.0, 1.0])
SHIFT = np.array([4.0, -6.0, 8.0])


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A box in fixed, the same box SHIFT mm further in moving, five landmarks on both, and the right transform."""
    box = np.zeros((24, 24, 16), np.uint8)
    box[8:14, 9:16, 5:9] = 2
    moved = np.roll(box, (2, -3, 2), axis=(0, 1, 2))
    nib.save(nib.Nifti1Image(box, AFFINE), tmp_path / "fixed.nii.gz")
    nib.save(nib.Nifti1Image(moved, AFFINE), tmp_path / "moving.nii.gz")
    points = np.random.default_rng(0).uniform(0, 40, (5, 3))
    rows = [",".join(f"{v:.4f}" for v in (*p, *(p + SHIFT))) for p in points]
    (tmp_path / "landmarks.csv").write_text("\n".join(["fx,fy,fz,mx,my,mz", *rows]) + "\n")
    (tmp_path / "names.csv").write_text("value,name\n2,box\n")
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT
    write_transform(tmp_path / "right.h5", Transform((Linear(matrix),)))
    return tmp_path


def test_the_right_transform_scores_full_marks_beside_doing_nothing(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "evaluate",
        f"--transform={scene}/right.h5",
        f"--fixed-labels={scene}/fixed.nii.gz",
        f"--moving-labels={scene}/moving.nii.gz",
        f"--landmarks={scene}/landmarks.csv",
        f"--names={scene}/names.csv",
    ]
    assert main([*words, "--json", f"{scene}/scores.json"]) == 0
    table = capsys.readouterr().out
    assert "box" in table
    assert "landmark error" in table
    found = json.loads((scene / "scores.json").read_text())
    assert found["labels"]["2"]["after"]["dice"] == 1.0
    assert found["labels"]["2"]["before"]["dice"] < 0.5
    assert found["landmarks"]["before"]["mean"] == pytest.approx(np.linalg.norm(SHIFT), abs=1e-3)
    assert found["landmarks"]["after"]["largest"] < 1e-3
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dice"]["after"]["mean"] == 1.0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--fixed-labels", "fixed.nii.gz"], "for fixed and for moving"),
        (["--landmarks", "names.csv"], "fx,fy,fz"),
        (["--fixed-labels", "fixed.nii.gz", "--moving-labels", "other.nii.gz"], "no label in common"),
        (["--names", "landmarks.csv"], "value,name"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    words: list[str], expected: str, scene: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scene)
    other = np.zeros((24, 24, 16), np.uint8)
    other[5:9, 5:9, 5:9] = 7
    nib.save(nib.Nifti1Image(other, AFFINE), scene / "other.nii.gz")
    assert main(["evaluate", "-t", "right.h5", *words]) == 2
    assert expected in capsys.readouterr().err


def test_features_are_unit_vectors_on_an_isotropic_grid(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).normal(size=(20, 22, 12)).astype(np.float32)
    nib.save(nib.Nifti1Image(noise, AFFINE), scene / "scan.nii.gz")
    words = ["features", "--input", f"{scene}/scan.nii.gz", "-o", f"{scene}/f.nii.gz", "--spacing", "3"]
    assert main([*words, "--descriptor", "mind"]) == 0
    file = nib.load(scene / "f.nii.gz")
    np.testing.assert_allclose(np.linalg.norm(file.affine[:3, :3], axis=0), 3.0, atol=1e-5)
    values = np.asarray(file.dataobj)
    assert values.ndim == 4
    np.testing.assert_allclose(np.linalg.norm(values, axis=-1), 1.0, atol=1e-4)
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err

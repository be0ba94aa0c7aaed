"""Transforms that are damaged, no affine or of another place: refused in a sentence, or said."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.files.transforms import read_transform, write_transform
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from dsir.workflow.given_transform import read_given_transform
from scipy import ndimage

VALUES = np.random.default_rng(0).normal(size=(12, 11, 10)).astype(np.float32)


@pytest.mark.parametrize("last", ["0 0 0 2", "1 0 0 1"])
def test_a_matrix_that_is_no_affine_is_refused(last: str, tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text(f"1 0 0 4\n0 1 0 0\n0 0 1 0\n{last}\n")
    with pytest.raises(DsirError, match="no affine: the last line of its matrix"):
        read_transform(tmp_path / "m.txt", convention="ras")


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("0,1 0 0 0 0 0", "is not a number"),
        ("nan 0 0 0 0 0", "NaN or infinite"),
        ("0 0 0", "takes 6 parameters, not 3"),
        ("0 0 0 0 0 0 0 0", "takes 6 parameters, not 8"),
    ],
)
def test_parameters_over_which_itk_ends_the_process_are_refused(parameters: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "turn.tfm"
    sitk.WriteTransform(sitk.Euler3DTransform(), str(path))
    path.write_text(path.read_text().replace("Parameters: 0 0 0 0 0 0", f"Parameters: {parameters}"))
    with pytest.raises(DsirError, match=said):
        read_transform(path)


def test_several_transforms_that_nothing_joins_are_refused(tmp_path: Path) -> None:
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "one.tfm"))
    text = (tmp_path / "one.tfm").read_text()
    (tmp_path / "two.tfm").write_text(text + text.split("\n", 1)[1])
    with pytest.raises(DsirError, match="holds 2 transforms and does not say how they follow"):
        read_transform(tmp_path / "two.tfm")
    sitk.WriteTransform(sitk.CompositeTransform([sitk.Euler3DTransform()] * 2), str(tmp_path / "joined.tfm"))
    read_transform(tmp_path / "joined.tfm")


@pytest.mark.parametrize("joined", [False, True])
def test_a_kind_for_which_simpleitk_has_no_class_is_refused(joined: bool, tmp_path: Path) -> None:
    turn = sitk.ComposeScaleSkewVersor3DTransform()
    both = sitk.CompositeTransform([turn, sitk.BSplineTransform(3)])
    sitk.WriteTransform(both if joined else turn, str(tmp_path / "turn.tfm"))
    with pytest.raises(DsirError, match="a kind of transform that SimpleITK does not know"):
        read_transform(tmp_path / "turn.tfm")


def test_so_are_too_few_in_a_matlab_file(tmp_path: Path) -> None:
    path = tmp_path / "turn.mat"
    sitk.WriteTransform(sitk.Euler3DTransform(), str(path))
    read_transform(path)
    content = bytearray(path.read_bytes())
    content[4], at = 3, 20 + content[16]  # rows of the first matrix
    path.write_bytes(content[: at + 24] + content[at + 48 :])
    with pytest.raises(DsirError, match="takes 6 parameters, not 3"):
        read_transform(path)


def test_a_field_of_another_place_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nib.save(nib.Nifti1Image(VALUES, np.eye(4)), tmp_path / "here.nii.gz")
    far = np.eye(4)
    far[0, 3] = 400
    field = nib.Nifti1Image(np.ones((*VALUES.shape, 1, 3), np.float32), far)
    field.header.set_intent(1007)
    nib.save(field, tmp_path / "far.nii.gz")
    (tmp_path / "points.csv").write_text("x,y,z\n1,2,3\n")
    words = ["apply", "-t", f"{tmp_path}/far.nii.gz", "-o"]
    scans = ["--reference", f"{tmp_path}/here.nii.gz", "--image", f"{tmp_path}/here.nii.gz"]
    assert main([*words, f"{tmp_path}/out.nii.gz", *scans]) == 2
    assert "none of the fixed scan lies on its grid" in capsys.readouterr().err
    assert main([*words, f"{tmp_path}/out.csv", "--points", f"{tmp_path}/points.csv"]) == 0
    printed = capsys.readouterr()
    assert "No place of the points lies on the grid" in printed.out + printed.err


@pytest.mark.parametrize(("intent", "turn", "how"), [(1006, (-1, -1, 1), "LPS mm"), (1007, (1, 1, 1), "RAS mm"),
                                                     (1006, (0.5, 0.5, 0.5), "voxels")])  # fmt: skip
def test_a_field_whose_header_lies_is_refused(
    intent: int, turn: tuple[float, ...], how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).normal(size=(34, 32, 30))
    values, grid, moved = ndimage.gaussian_filter(noise, 2.0), np.diag([2.0, 2.0, 2.0, 1.0]), np.array([6.0, -4.0, 0.0])
    nib.save(nib.Nifti1Image(values, grid), tmp_path / "fixed.nii.gz")
    nib.save(nib.Nifti1Image(ndimage.shift(values, moved / 2), grid), tmp_path / "moving.nii.gz")
    words = ["apply", "-t", f"{tmp_path}/u.nii.gz", "-o", f"{tmp_path}/out.nii.gz"]
    words += ["--reference", f"{tmp_path}/fixed.nii.gz", "--image", f"{tmp_path}/moving.nii.gz"]

    def write(vectors: np.ndarray) -> None:
        field = nib.Nifti1Image(np.broadcast_to(vectors, (*values.shape, 1, 3)).astype(np.float32), grid)
        field.header["intent_code"] = intent
        nib.save(field, tmp_path / "u.nii.gz")

    write(moved * np.array(turn))
    assert main(words) == 2
    assert f"fit better if they are {how}" in capsys.readouterr().err
    assert not (tmp_path / "out.nii.gz").exists()
    write(moved * ((1, 1, 1) if intent == 1006 else (-1, -1, 1)))
    assert main(words) == 0
    assert "fit better" not in capsys.readouterr().out
    labels = ["--reference", words[-3], "--labels", f"{tmp_path}/labels.nii.gz", "--overwrite"]
    nib.save(nib.Nifti1Image((values > 0).astype(np.uint8), grid), tmp_path / "labels.nii.gz")
    assert main([*words[:5], *labels]) == 0
    assert "without both scans nobody can see" in capsys.readouterr().out


def test_a_transform_that_leads_the_other_way_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values, grid = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(34, 32, 30)), 2.0), np.eye(4) * 2
    grid[3, 3] = 1
    nib.save(nib.Nifti1Image(values, grid), tmp_path / "fixed.nii.gz")
    nib.save(nib.Nifti1Image(ndimage.shift(values, [1, -1, 0]), grid), tmp_path / "moving.nii.gz")
    for name, sign in (("right", 1.0), ("wrong", -1.0)):
        matrix = np.eye(4)
        matrix[:3, 3] = np.array([2.0, -2.0, 0.0]) * sign
        write_transform(tmp_path / f"{name}.tfm", Transform((Linear(matrix),)))
        words = ["apply", "-t", f"{tmp_path}/{name}.tfm", "-o", f"{tmp_path}/{name}.nii.gz"]
        words += ["--reference", f"{tmp_path}/fixed.nii.gz", "--image", f"{tmp_path}/moving.nii.gz"]
        assert main(words) == 0
        said = capsys.readouterr().out
        assert ("lowers the similarity of the scans" in said) == (name == "wrong")


def test_what_was_assumed_of_a_transform_is_said_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mirror, say: no command keeps it to itself."""
    nib.save(nib.Nifti1Image(VALUES, np.diag([3.0, 3.0, 3.0, 1.0])), tmp_path / "a.nii.gz")
    write_transform(tmp_path / "m.tfm", Transform((Linear(np.diag([-1.0, 1.0, 1.0, 1.0])),)))
    scan, mirror = f"{tmp_path}/a.nii.gz", f"{tmp_path}/m.tfm"
    ask = ["--image", scan, "--other", scan, "--ras", "0", "15", "15", "-t", mirror]
    for words in (
        ["query", *ask, "--descriptor", "mind"],
        ["figure", *ask, "--descriptors", "mind", "--plain", "-o", f"{tmp_path}/f.png"],
        ["compare", mirror, mirror, "--fixed", scan],
        ["apply", "-t", mirror, "--reference", scan, "--image", scan, "-o", f"{tmp_path}/x.nii.gz"],
    ):
        code, printed = main(words), capsys.readouterr()
        assert code == 0, printed.err
        assert "exchanges left and right" in printed.out, words[0]


def test_several_transforms_in_an_hdf5_file_that_nothing_joins_are_refused(tmp_path: Path) -> None:
    sitk.WriteTransform(sitk.CompositeTransform([sitk.Euler3DTransform()] * 2), str(tmp_path / "joined.h5"))
    read_transform(tmp_path / "joined.h5")
    content = (tmp_path / "joined.h5").read_bytes()  # ITK writes a plain list where its caller gives one
    (tmp_path / "listed.h5").write_bytes(content.replace(b"CompositeTransform_", b"Euler3DTransform____"[:19]))
    with pytest.raises(DsirError, match="does not say how they follow"):
        read_transform(tmp_path / "listed.h5")


@pytest.mark.parametrize("name", ["a.lta", "a.xfm", "register.dat", "a.m3z"])
def test_transforms_of_freesurfer_are_refused_with_a_way_out(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("type = 1\nnxforms = 1\n")
    with pytest.raises(DsirError, match="a transform of FreeSurfer or MNI, which is not read; write it"):
        read_transform(tmp_path / name)


def test_a_transform_that_mirrors_says_so(tmp_path: Path) -> None:
    for first, said in ((-1.0, True), (1.0, False)):
        affine = sitk.AffineTransform(3)
        affine.SetMatrix((first, 0, 0, 0, 1, 0, 0, 0, 1))
        sitk.WriteTransform(affine, str(tmp_path / "t.tfm"))
        remarks = read_given_transform(tmp_path / "t.tfm").remarks
        assert ("exchanges left and right" in " ".join(remarks)) is said

"""Images that do not say where they lie, or say it in numbers that are none: refused, or read as ITK does, and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from dsir.errors import DsirError
from dsir.files.images import read_image
from dsir.files.transforms import read_transform

VALUES = np.random.default_rng(0).random((5, 4, 3), dtype=np.float32)
AFFINE = np.array([[2.0, 0, 0, -10], [0, 2.0, 0, -20], [0, 0, 3.0, -30], [0, 0, 0, 1]])


def nifti(path: Path, **fields: object) -> Path:
    """A NIfTI file whose header is then changed behind nibabel's back."""
    file = nib.Nifti1Image(VALUES, AFFINE)
    file.set_sform(AFFINE, 1)
    file.set_qform(AFFINE, 1)
    nib.save(file, path)
    content = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[:348] = header.binaryblock
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("fields", "said", "spacing"),
    [
        ({"srow_x": [np.nan] * 4}, "an sform that is no numbers", [2, 2, 3]),
        ({"pixdim": [1, 0, 0, 0, 0, 0, 0, 0]}, "the qform lacks a voxel size, for which ITK puts 1 mm", [1, 1, 1]),
        ({"pixdim": [1, np.nan, 2, 3, 0, 0, 0, 0]}, "its sform and qform do not agree", [1, 2, 3]),
        ({"pixdim": [1, 0, 0, 0, 0, 0, 0, 0], "sform_code": 0, "qform_code": 0}, "how large its voxels are", [1, 1, 1]),
    ],
)
def test_numbers_that_are_none_are_said(tmp_path: Path, fields: dict, said: str, spacing: list[float]) -> None:
    path = nifti(tmp_path / "a.nii", **fields)
    image = read_image(path)
    assert said in " ".join(image.remarks) and image.lattice.spacing.tolist() == spacing
    assert np.allclose(sitk.ReadImage(str(path)).GetSpacing(), spacing)


def test_a_quaternion_that_is_none_is_not_called_a_short_file(tmp_path: Path) -> None:
    with pytest.raises(DsirError, match="its header makes no sense"):
        read_image(nifti(tmp_path / "a.nii", quatern_b=3.0, sform_code=0))


def test_freesurfer_s_file_without_a_place_says_so(tmp_path: Path) -> None:
    nib.save(nib.MGHImage(VALUES, AFFINE), tmp_path / "a.mgh")
    assert not read_image(tmp_path / "a.mgh").remarks
    content = bytearray((tmp_path / "a.mgh").read_bytes())
    content[28:30] = b"\0\0"
    (tmp_path / "a.mgh").write_bytes(content)
    assert "its goodRASFlag is 0" in read_image(tmp_path / "a.mgh").remarks[0]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: nrrd.write(str(path / "a.nrrd"), VALUES, {"spacings": [2, 0, 3]}),
        lambda path: changed(path / "a.mha", b"ElementSpacing = 1 1 1", b"ElementSpacing = 0 1 1"),
        lambda path: changed(path / "a.mha", b"TransformMatrix = 1 0 0 0 1", b"TransformMatrix = 1 0 0 1 0"),
    ],
)
def test_voxels_without_a_size_are_named(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path)
    (file,) = tmp_path.iterdir()
    with pytest.raises(DsirError, match="its voxels have no size, or two of its axes are one"):
        read_image(file)


def changed(path: Path, old: bytes, new: bytes) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(path))
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    return path


def test_a_metaimage_in_another_unit_says_so(tmp_path: Path) -> None:
    path = changed(tmp_path / "a.mha", b"ElementSpacing", b"DistanceUnits = um\nElementSpacing")
    assert read_image(path).remarks == ("a.mha counts in um; it was read in mm all the same, as ITK and Slicer do.",)


@pytest.mark.parametrize(
    ("matrix", "letters", "fits"),
    [
        ("1 0 0 0 1 0 0 0 1", "RAI", True),  # from where the axes run, as ITK writes them
        ("1 0 0 0 1 0 0 0 1", "LPS", True),  # to where they run, as MetaIO's documentation has it
        ("1 0 0 0 1 0 0 0 1", "RAS", False),
        ("-1 0 0 0 -1 0 0 0 1", "LPI", True),
        ("-1 0 0 0 -1 0 0 0 1", "RAI", False),
        ("0 1 0 0 0 1 1 0 0", "AIR", True),
        ("1 0 0 0 1 0 0 0 1", "???", True),
    ],
)
def test_letters_that_contradict_the_matrix_are_said(tmp_path: Path, matrix: str, letters: str, fits: bool) -> None:
    path = changed(tmp_path / "a.mha", b"TransformMatrix = 1 0 0 0 1 0 0 0 1", f"TransformMatrix = {matrix}".encode())
    path.write_bytes(path.read_bytes().replace(b"Orientation = RAI", f"Orientation = {letters}".encode()))
    remarks = read_image(path).remarks
    assert not remarks if fits else f"its letters are {letters}. Taken was the matrix" in remarks[0]
    assert np.allclose(
        sitk.ReadImage(str(path)).GetDirection(), np.array(matrix.split(), float).reshape(3, 3).T.ravel()
    )


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("u.mha", b"ElementSpacing", b"DistanceUnits = um\nElementSpacing"),
        ("u.nrrd", b"encoding:", b'space units: "m" "m" "m"\nencoding:'),
    ],
)
def test_a_field_in_another_unit_is_refused_since_its_vectors_may_be_so_too(
    name: str, old: bytes, new: bytes, tmp_path: Path
) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 4, 3, 3), np.float32), isVector=True), str(tmp_path / name))
    assert not read_transform(tmp_path / name).parts[0].vectors.any()
    content = (tmp_path / name).read_bytes()
    assert content.count(old) == 1
    (tmp_path / name).write_bytes(content.replace(old, new))
    with pytest.raises(DsirError, match=r"is in u?m and does not say whether its vectors are so too"):
        read_transform(tmp_path / name)


def test_a_stack_of_pictures_is_no_volume(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(tmp_path / "a.tif"))
    with pytest.raises(DsirError, match="Pictures do not say where they lie"):
        read_image(tmp_path / "a.tif")

"""Images whose voxels or headers lie, lack something or were spoiled on the way: refused in a sentence, or said."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.files.images import geometry_remarks, read_image
from dsir.files.transforms import read_transform

VALUES = np.random.default_rng(0).normal(size=(12, 11, 10)).astype(np.float32)


def compressed(folder: Path, kind: str) -> Path:
    """The volume in a compressed file of a kind."""
    path = folder / f"scan{kind}"
    if kind == ".nii.gz":
        nib.save(nib.Nifti1Image(VALUES, np.diag([2.0, 2.0, 3.0, 1.0])), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(path), useCompression=True)
    return path


@pytest.mark.parametrize("kind", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("where", [0.4, 0.95])
def test_a_bit_that_turned_over_in_compressed_voxels_is_seen(kind: str, where: float, tmp_path: Path) -> None:
    path = compressed(tmp_path, kind)
    read_image(path)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 4
    path.write_bytes(content)
    with pytest.raises(DsirError, match="checksum of its compressed voxels does not fit"):
        read_image(path)


def test_a_gzip_without_its_checksum_or_with_another_one_is_seen(tmp_path: Path) -> None:
    whole = compressed(tmp_path, ".nii.gz").read_bytes()
    for number, content in enumerate((whole[:-8], whole[:-8] + b"\0\0\0\0" + whole[-4:], whole + b"junk")):
        (tmp_path / f"{number}.nii.gz").write_bytes(content)
        with pytest.raises(DsirError, match="checksum of its compressed voxels does not fit"):
            read_image(tmp_path / f"{number}.nii.gz")
    plain = gzip.decompress(whole)
    (tmp_path / "two.nii.gz").write_bytes(gzip.compress(plain[:999]) + gzip.compress(plain[999:]))  # as bgzip writes
    assert np.array_equal(read_image(tmp_path / "two.nii.gz").data.numpy(), VALUES)


def fewer(content: bytes, kind: str) -> bytes:
    """The same file with a header that says one voxel less along the first axis."""
    if kind in (".nii", ".nii.gz"):
        plain = bytearray(gzip.decompress(content) if kind == ".nii.gz" else content)
        plain[42:44] = np.int16(11).tobytes()
        return gzip.compress(plain) if kind == ".nii.gz" else bytes(plain)
    return content.replace(b"sizes: 12 11 10", b"sizes: 11 11 10").replace(b"DimSize = 12 11", b"DimSize = 11 11")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_more_voxels_than_the_header_says_are_seen(kind: str, compress: bool, tmp_path: Path) -> None:
    path = tmp_path / f"scan{kind}"
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.T), str(path), useCompression=compress)
    assert np.array_equal(read_image(path).data.numpy(), VALUES)
    path.write_bytes(fewer(path.read_bytes(), kind))
    with pytest.raises(DsirError, match="holds 440 bytes more than its header says"):
        read_image(path)


@pytest.mark.parametrize("kind", [".nhdr", ".mhd"])
def test_so_are_those_in_a_file_beside_it(kind: str, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.T), str(tmp_path / f"scan{kind}"))
    read_image(tmp_path / f"scan{kind}")
    (beside,) = (file for file in tmp_path.iterdir() if file.suffix == ".raw")
    beside.write_bytes(beside.read_bytes() + b"\0" * 8)
    with pytest.raises(DsirError, match="holds 8 bytes more than its header says"):
        read_image(tmp_path / f"scan{kind}")


@pytest.mark.parametrize("kind", [".nhdr", ".mhd"])
def test_voxels_that_are_not_beside_their_header_are_named(kind: str, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.T), str(tmp_path / f"scan{kind}"))
    (beside,) = (file for file in tmp_path.iterdir() if file.suffix == ".raw")
    beside.rename(tmp_path / "elsewhere.raw")
    with pytest.raises(DsirError, match=f"its voxels are in {beside.name}, which is not beside it"):
        read_image(tmp_path / f"scan{kind}")


def test_a_metaimage_names_a_file_for_each_slice_or_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.T), str(tmp_path / "scan.mhd"))
    (beside,) = (file for file in tmp_path.iterdir() if file.suffix == ".raw")
    header = (tmp_path / "scan.mhd").read_text().replace(beside.name, f"LIST\n{beside.name}")
    (tmp_path / "scan.mhd").write_text(header)
    with pytest.raises(DsirError, match=f"lists 1 data files for {VALUES.shape[2]} slices"):
        read_image(tmp_path / "scan.mhd")


def test_a_metaimage_says_how_long_its_compressed_voxels_are_or_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES.T), str(tmp_path / "scan.mha"), useCompression=True)
    assert np.array_equal(read_image(tmp_path / "scan.mha").data, VALUES)
    content = (tmp_path / "scan.mha").read_bytes()
    for said in (b"", b"CompressedDataSize = 0\n"):
        (tmp_path / "scan.mha").write_bytes(re.sub(rb"CompressedDataSize = \d+\n", said, content, count=1))
        with pytest.raises(DsirError, match="does not say how long its compressed voxels are"):
            read_image(tmp_path / "scan.mha")


def test_so_are_those_written_as_text(tmp_path: Path) -> None:
    head = ["NRRD0005", "type: float", "dimension: 3", "sizes: 2 2 2", "encoding: ascii", "space: LPS"]
    head += ["space directions: (1,0,0) (0,1,0) (0,0,1)", "space origin: (0,0,0)", "", ""]
    for count, sound in ((8, True), (9, False)):
        (tmp_path / "a.nrrd").write_text("\n".join(head) + " ".join(map(str, range(count))))
        if sound:
            assert read_image(tmp_path / "a.nrrd").data.flatten().sum() == 28
        else:
            with pytest.raises(DsirError, match="more than its header says"):
                read_image(tmp_path / "a.nrrd")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["scan.nii", "scan.nrrd"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    for read in (read_image, read_transform):
        with pytest.raises(DsirError, match="is no regular file"):
            read(tmp_path / name)


@pytest.mark.parametrize("slope", [np.inf, -np.inf])
def test_an_infinite_slope_is_refused_and_none_is_none(slope: float, tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    nib.save(nib.Nifti1Image(VALUES, np.eye(4)), path)
    content = bytearray(path.read_bytes())
    for given in (np.nan, slope):  # nibabel writes NaN where there is none
        content[112:116] = np.float32(given).tobytes()
        path.write_bytes(content)
        if np.isnan(given):
            assert np.array_equal(read_image(path).data.numpy(), VALUES)
    with pytest.raises(DsirError, match="slope of its values is infinite"):
        read_image(path)


def test_an_image_that_lies_elsewhere_is_no_empty_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, at in (("here", 0.0), ("far", 500.0)):
        affine = np.diag([2.0, 2.0, 3.0, 1.0])
        affine[0, 3] = at
        nib.save(nib.Nifti1Image(VALUES, affine), tmp_path / f"{name}.nii.gz")
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "id.tfm"))
    words = ["apply", "-t", f"{tmp_path}/id.tfm", "--reference", f"{tmp_path}/here.nii.gz"]
    assert main([*words, "--image", f"{tmp_path}/far.nii.gz", "-o", f"{tmp_path}/out.nii.gz"]) == 2
    assert "Nothing of" in capsys.readouterr().err and not (tmp_path / "out.nii.gz").exists()


def test_voxels_cannot_begin_within_the_header(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(VALUES, np.diag([2.0, 2.0, 3.0, 1.0])), tmp_path / "scan.nii")
    content = bytearray((tmp_path / "scan.nii").read_bytes())
    content[108:112] = np.float32(0).tobytes()
    (tmp_path / "scan.nii").write_bytes(content)
    with pytest.raises(DsirError, match="header makes no sense"):
        read_image(tmp_path / "scan.nii")


def nrrd(path: Path, *fields: str) -> Path:
    head = ["NRRD0005", "type: float", "dimension: 3", "sizes: 12 11 10", "endian: little", "encoding: raw", *fields]
    path.write_bytes("\n".join([*head, "", ""]).encode() + VALUES.tobytes("F"))
    return path


ALONG, FIRST = "space directions: (2,0,0) (0,2,0) (0,0,3)", "space origin: (0,0,0)"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("space: LPS", ALONG, FIRST), ""),
        (("space: right-anterior-superior", ALONG, FIRST, 'space units: "mm" "mm" "mm"'), ""),
        ((), "how its axes lie and how large its voxels are, where it lies: that is made up"),
        (("spacings: 2 2 3",), "how its axes lie, where it lies: that is made up"),
        (("space: LPS", ALONG), "where it lies: that is made up"),
        (("space dimension: 3", ALONG, FIRST), "what its directions are of the patient"),
        (("space: scanner-xyz", ALONG, FIRST), "what its directions are of the patient"),
        (("space: LPS", ALONG, FIRST, 'space units: "um" "um" "um"'), "counts in um; it was read in mm"),
    ],
)
def test_what_an_nrrd_leaves_out_is_said(fields: tuple[str, ...], said: str, tmp_path: Path) -> None:
    remarks = read_image(nrrd(tmp_path / "a.nrrd", *fields)).remarks
    assert said in " ".join(remarks) and bool(remarks) is bool(said)


def test_an_axis_that_is_no_direction_in_space_makes_no_volume(tmp_path: Path) -> None:
    with pytest.raises(DsirError, match="axis that is no direction in space"):
        read_image(nrrd(tmp_path / "a.nrrd", "space: LPS", "space directions: (2,0,0) (0,2,0) none", FIRST))


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("", ""),
        ("TransformMatrix", "how its axes lie"),
        ("Offset", "where it lies"),
        ("ElementSpacing", "how large its voxels are"),
        ("Slope", "names a slope and an offset of its values"),
    ],
)
def test_what_a_metaimage_leaves_out_is_said(left_out: str, said: str, tmp_path: Path) -> None:
    head = {"ObjectType": "Image", "NDims": "3", "BinaryData": "True", "TransformMatrix": "1 0 0 0 1 0 0 0 1"}
    head |= {"Offset": "0 0 0", "ElementSpacing": "2 2 3", "DimSize": "12 11 10", "ElementType": "MET_FLOAT"}
    head["ElementDataFile"] = "LOCAL"
    if left_out == "Slope":
        head = {"ElementToIntensityFunctionSlope": "2", **head}
    text = "".join(f"{name} = {value}\n" for name, value in head.items() if name != left_out)
    (tmp_path / "a.mha").write_bytes(text.encode() + VALUES.tobytes("F"))
    read_image(tmp_path / "a.mha")
    remarks = geometry_remarks(tmp_path / "a.mha")
    assert said in " ".join(remarks) and bool(remarks) is bool(said)

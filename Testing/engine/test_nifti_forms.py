"""A NIfTI file lies where ITK and Slicer see it, and where it is ambiguous that is said."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from dsir.cli import main
from dsir.errors import DsirError
from dsir.files.images import geometry_remarks, read_image, read_labels, write_image
from dsir.files.transforms import read_transform
from dsir.geometry.image import Image
from grids import GRIDS, lattice, rotation

pytestmark = pytest.mark.slow

LPS = np.array([-1.0, -1.0, 1.0])


def affine(degrees: float = 0.0, shift: tuple[float, float, float] = (1.0, 2.0, 3.0)) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = rotation(degrees) * np.array([2.0, 2.2, 2.5])
    out[:3, 3] = shift
    return out


def write(path: Path, sform: tuple[int, np.ndarray], qform: tuple[int, np.ndarray], values=None) -> Path:
    values = np.random.default_rng(0).random((8, 9, 10)).astype(np.float32) if values is None else values
    file = nib.Nifti1Image(values, None)
    file.header.set_sform(sform[1], sform[0])
    file.header.set_qform(qform[1], qform[0])
    file.header.set_zooms((2.0, 2.2, 2.5))
    nib.save(file, path)
    return path


def seen_by_itk(path: Path) -> np.ndarray:
    """RAS mm of three voxels by SimpleITK."""
    image = sitk.ReadImage(str(path))
    return np.array([image.TransformIndexToPhysicalPoint(v) for v in ((0, 0, 0), (5, 2, 1), (1, 7, 8))]) * LPS


A, B = affine(10), affine(5, (4.0, 5.0, 6.0))
CASES = {
    "sform only": ((2, A), (0, B), None),
    "qform only": ((0, A), (1, B), None),
    "sform of other voxels": ((2, A @ np.diag([2.0, 2, 2, 1])), (0, B), "its sform 4 x 4.4 x 5 mm. It was read as ITK"),
    "both agree": ((1, A), (1, A), None),
    "neither": ((0, A), (0, B), "codes are 0"),
    "scanner sform against qform": ((1, A), (1, B), "Taken was the sform"),
    "aligned sform against scanner qform": ((2, A), (1, B), "Taken was the qform"),
    "template sform against qform": ((4, A), (1, B), "Taken was the qform"),
    "shifted by a millimetre": ((1, A), (2, affine(10, (1.0, 3.0, 3.0))), "up to 1.0 mm apart"),
}


@pytest.mark.parametrize(("sform", "qform", "words"), CASES.values(), ids=CASES)
def test_the_lattice_is_the_one_that_itk_and_slicer_see(tmp_path, sform, qform, words):
    path = write(tmp_path / "a.nii.gz", sform, qform)
    image = read_image(path)
    ours = image.lattice.to_world(np.array([[0, 0, 0], [5, 2, 1], [1, 7, 8]], dtype=float))
    assert np.abs(ours - seen_by_itk(path)).max() < 1e-3
    assert len(image.remarks) == (words is not None)
    if words:
        (sentence,) = image.remarks
        assert words in sentence and "a.nii.gz" in sentence and "ITK and Slicer" in sentence and "nibabel" in sentence
        assert geometry_remarks(path, None, tmp_path / "none.nii") == image.remarks


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
def test_what_we_write_everyone_reads_alike(tmp_path, grid, name):
    write_image(tmp_path / name, Image(read_image_data(grid.shape), grid))
    image = sitk.ReadImage(str(tmp_path / name))
    corner = [int(n) - 1 for n in grid.shape]
    for index in ([0, 0, 0], corner):
        seen = np.array(image.TransformIndexToPhysicalPoint(index)) * LPS
        assert np.abs(seen - grid.to_world(np.array(index, dtype=float))).max() < 2e-3
    if name.startswith("a.nii"):
        file = nib.load(tmp_path / name)
        assert int(file.header["sform_code"]) == int(file.header["qform_code"]) == 1
        assert np.abs(file.get_sform() - file.get_qform()).max() < 1e-3
        assert not geometry_remarks(tmp_path / name)


def read_image_data(shape):
    import torch

    return torch.rand(*shape)


@pytest.mark.parametrize("sform", [0, 2], ids=["neither form", "two forms"])
def test_a_result_fits_in_itk_beside_the_very_files_it_was_made_of(tmp_path, sform, capsys):
    """Register, then let SimpleITK alone read both inputs and the transform: moving lands on fixed."""
    smooth = np.kron(np.random.default_rng(0).normal(size=(9, 9, 9)), np.ones((4, 4, 4))).astype(np.float32) + 10
    blurred = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(smooth), 2.0))
    forms = (sform, affine(20, (30.0, 0.0, 0.0))), (1 if sform else 0, affine(0, (-10.0, 5.0, 0.0)))
    fixed = write(tmp_path / "fixed.nii.gz", *forms, blurred)
    moving = write(tmp_path / "moving.nii.gz", *forms, np.roll(blurred, 2, axis=0))
    out = tmp_path / "out"
    words = ["--fixed", str(fixed), "--moving", str(moving), "--out", str(out), "--preset", "fast", "--no-deformable"]
    assert main(["register", *words]) == 0
    said = capsys.readouterr().out
    assert said.count("ITK and Slicer") == 2
    assert len([w for w in json.loads((out / "report.json").read_text())["warnings"] if "ITK" in w]) == 2
    a, b = (sitk.ReadImage(str(path), sitk.sitkFloat32) for path in (fixed, moving))

    def apart(name: str, transform: sitk.Transform) -> float:
        pulled = sitk.GetArrayFromImage(sitk.Resample(b, a, transform, sitk.sitkLinear))[6:-6, 6:-6, 6:-6]
        return float(np.abs(pulled - sitk.GetArrayFromImage(a)[6:-6, 6:-6, 6:-6]).mean())

    before = apart("nothing", sitk.Transform(3, sitk.sitkIdentity))
    assert apart("h5", sitk.ReadTransform(str(out / "transform.h5"))) < 0.3 * before
    assert apart("text", sitk.ReadTransform(str(out / "transform.tfm"))) < 0.3 * before  # a shift needs no field
    warped = sitk.GetArrayFromImage(sitk.Resample(sitk.ReadImage(str(out / "warped.nii.gz"), sitk.sitkFloat32), a))
    assert np.abs(warped - sitk.GetArrayFromImage(a))[6:-6, 6:-6, 6:-6].mean() < 0.3 * before
    assert read_transform(out / "transform.h5").parts


@pytest.mark.parametrize(("unit", "name", "millimetres"), [("meter", "metres", 1000.0), ("micron", "microns", 1e-3)])
def test_lengths_in_another_unit_are_read_as_itk_reads_them_and_said(tmp_path, unit, name, millimetres, capsys):
    path = write(tmp_path / "a.nii.gz", (1, A), (1, A))
    file = nib.load(path)
    lengths = np.diag([1 / millimetres] * 3 + [1.0]) @ A
    for set_form in (file.set_sform, file.set_qform):
        set_form(lengths, code=1)
    file.header.set_xyzt_units(unit)
    nib.save(file, tmp_path / "b.nii.gz")
    there = read_image(tmp_path / "b.nii.gz")
    assert there.lattice.matches(read_image(path).lattice)
    corners = np.array([[0, 0, 0], [5, 2, 1], [1, 7, 8]], dtype=float)
    assert np.abs(there.lattice.to_world(corners) - seen_by_itk(tmp_path / "b.nii.gz")).max() < 1e-3
    assert there.remarks == (
        f"The header of b.nii.gz is in {name}: its voxels were read as 2 x 2.2 x 2.5 mm, as ITK and Slicer do.",
    )
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "id.tfm"))
    words = ["-t", f"{tmp_path}/id.tfm", "--reference", str(path), "--image", f"{tmp_path}/b.nii.gz"]
    assert main(["apply", *words, "-o", f"{tmp_path}/x.nii.gz"]) == 0
    assert f"b.nii.gz is in {name}" in capsys.readouterr().out
    assert np.allclose(read_image(tmp_path / "x.nii.gz").data, read_image(path).data, atol=1e-4)


def test_a_field_in_metres_is_refused_since_its_vectors_may_be_so_too(tmp_path):
    field = nib.Nifti1Image(np.zeros((8, 9, 10, 1, 3), np.float32), A)
    field.header.set_intent("displacement vector")
    field.header.set_xyzt_units("meter")
    nib.save(field, tmp_path / "field.nii.gz")
    with pytest.raises(DsirError, match="is in metres"):
        read_transform(tmp_path / "field.nii.gz")


def test_label_maps_and_apply_say_it_too(tmp_path, capsys):
    labels = np.zeros((8, 9, 10), np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    path = write(tmp_path / "labels.nii.gz", (0, A), (0, A), labels)
    assert read_labels(path)[1].matches(read_image(path).lattice)
    write_image(tmp_path / "ref.nii.gz", Image(read_image_data((8, 9, 10)), lattice((8, 9, 10))))
    (tmp_path / "id.tfm").write_text(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
        "Parameters: 1 0 0 0 1 0 0 0 1 0 0 0\nFixedParameters: 0 0 0\n"
    )
    words = ["-t", str(tmp_path / "id.tfm"), "--reference", str(tmp_path / "ref.nii.gz"), "--labels", str(path)]
    assert main(["apply", *words, "-o", str(tmp_path / "x.nii.gz")]) == 0
    assert "labels.nii.gz does not say where it lies" in capsys.readouterr().out


def test_analyze_files_have_no_form_at_all(tmp_path):
    nib.save(nib.AnalyzeImage(np.random.default_rng(0).random((8, 9, 10)).astype(np.float32), None), tmp_path / "a.img")
    image = read_image(tmp_path / "a.img")
    ours = image.lattice.to_world(np.array([[0, 0, 0], [5, 2, 1], [1, 7, 8]], dtype=float))
    assert np.abs(ours - seen_by_itk(tmp_path / "a.img")).max() < 1e-3
    assert "does not say where it lies" in image.remarks[0]

"""Volumes keep their values and their place through every format; bad files get one sentence with their name."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import torch
from dsir.errors import DsirError
from dsir.files.images import read_image, read_labels, read_mask, write_features, write_image, write_labels
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from grids import GRIDS, lattice, rotation

FORMATS = ["nii", "nii.gz", "nrrd", "nhdr", "mha", "mhd"]


def noise(grid: Lattice, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).normal(100, 300, grid.shape).astype(np.float32)
    return Image(torch.from_numpy(values), grid)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_an_image_comes_back_as_it_was_written(tmp_path, grid, kind):
    image = noise(grid)
    write_image(tmp_path / f"a.{kind}", image)
    again = read_image(tmp_path / f"a.{kind}")
    assert again.lattice.matches(grid, 1e-3)
    assert torch.equal(again.data, image.data) and again.data.dtype == torch.float32


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_both_libraries_place_a_voxel_alike(tmp_path, grid):
    image = noise(grid)
    write_image(tmp_path / "a.nii.gz", image)
    seen = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    index = (3, 5, 7)
    lps = np.array(seen.TransformIndexToPhysicalPoint(index))
    assert np.allclose(lps * [-1, -1, 1], grid.to_world(np.array(index)), atol=1e-3)
    assert seen.GetPixel(index) == image.data[index]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_slopes_and_types_are_undone_on_reading(tmp_path, dtype):
    stored = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(dtype)
    file = nib.Nifti1Image(stored, np.eye(4))
    file.header.set_slope_inter(2.0, -1024.0)
    nib.save(file, tmp_path / "a.nii")
    expected = np.asanyarray(nib.load(tmp_path / "a.nii").dataobj)
    assert np.allclose(read_image(tmp_path / "a.nii").data.numpy(), expected)


def test_one_volume_in_four_dimensions_is_that_volume(tmp_path):
    values = np.random.default_rng(0).random((4, 5, 6, 1, 1)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii.gz")
    assert read_image(tmp_path / "a.nii.gz").data.shape == (4, 5, 6)


def test_a_sheared_sform_gives_way_to_the_qform(tmp_path):
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    file = nib.Nifti1Image(np.random.default_rng(0).random((4, 5, 6)), np.eye(4))
    file.set_qform(np.diag([2.0, 2.0, 2.0, 1.0]), code=1)
    file.set_sform(sheared, code=1)
    nib.save(file, tmp_path / "a.nii")
    assert np.allclose(read_image(tmp_path / "a.nii").lattice.spacing, 2.0)


def test_metres_and_microns_become_millimetres(tmp_path):
    for unit, size in (("meter", 0.002), ("micron", 2000.0)):
        file = nib.Nifti1Image(np.random.default_rng(0).random((4, 5, 6)), np.diag([size, size, size, 1.0]))
        file.header.set_xyzt_units(unit)
        nib.save(file, tmp_path / "a.nii")
        assert np.allclose(read_image(tmp_path / "a.nii").lattice.spacing, 2.0)


def test_integers_are_written_rounded_and_clipped(tmp_path):
    grid = lattice((3, 3, 3))
    image = Image(torch.linspace(-70000, 70000, 27).reshape(3, 3, 3), grid)
    write_image(tmp_path / "a.nii", image, dtype=np.int16)
    read = np.asarray(nib.load(tmp_path / "a.nii").dataobj)
    assert read.dtype == np.int16 and read.min() == -32768 and read.max() == 32767 and read[1, 1, 1] == 0


def test_features_are_four_dimensional_on_their_lattice(tmp_path):
    grid = GRIDS["oblique"]
    write_features(tmp_path / "f.nii.gz", torch.rand(12, *grid.shape), grid)
    file = nib.load(tmp_path / "f.nii.gz")
    assert file.shape == (*grid.shape, 12) and np.allclose(file.affine, grid.affine, atol=1e-4)


def test_labels_keep_their_numbers_in_the_smallest_type(tmp_path):
    grid = GRIDS["left-handed"]
    for top, dtype in ((200, np.uint8), (3000, np.int16), (70000, np.int32)):
        labels = torch.zeros(grid.shape, dtype=torch.int64)
        labels[2:5] = top
        write_labels(tmp_path / "l.nii.gz", labels, grid)
        assert nib.load(tmp_path / "l.nii.gz").get_data_dtype() == dtype
        read, where = read_labels(tmp_path / "l.nii.gz")
        assert torch.equal(read.long(), labels) and where.matches(grid)


def test_a_mask_on_another_grid_is_brought_to_the_images(tmp_path):
    coarse, fine = lattice((10, 10, 10), (4.0, 4.0, 4.0)), lattice((20, 20, 20), (2.0, 2.0, 2.0), left_handed=True)
    mask = torch.zeros(coarse.shape, dtype=torch.bool)
    mask[3:6, 2:5, 4:8] = True
    write_labels(tmp_path / "m.nrrd", mask.int(), coarse)
    seen = read_mask(tmp_path / "m.nrrd", fine)
    assert seen.shape == fine.shape and int(seen.sum()) == 8 * int(mask.sum())
    assert seen[20 - 1 - 7, 5, 9] and not seen[7, 5, 17]


def test_empty_and_distant_masks_are_refused(tmp_path):
    grid = lattice((5, 5, 5))
    write_labels(tmp_path / "m.nii", torch.zeros(grid.shape, dtype=torch.int), grid)
    with pytest.raises(DsirError, match=r"m\.nii is empty"):
        read_mask(tmp_path / "m.nii")
    write_labels(tmp_path / "m.nii", torch.ones(grid.shape, dtype=torch.int), grid)
    with pytest.raises(DsirError, match="outside"):
        read_mask(tmp_path / "m.nii", lattice((5, 5, 5), centre=(900.0, 0.0, 0.0)))


def test_slicers_segmentations_are_label_maps_while_they_do_not_overlap(tmp_path):
    layer = np.zeros((6, 5, 4), np.uint8)
    layer[2:4, 2, 1:3] = 3
    sitk.WriteImage(sitk.GetImageFromArray(layer), str(tmp_path / "one.seg.nrrd"))
    assert read_labels(tmp_path / "one.seg.nrrd")[0].unique().tolist() == [0, 3]
    two = sitk.GetImageFromArray(np.stack([layer, layer], -1), isVector=True)
    sitk.WriteImage(two, str(tmp_path / "two.seg.nrrd"))
    with pytest.raises(DsirError, match="overlapping segments in 2 layers"):
        read_labels(tmp_path / "two.seg.nrrd")


def test_fractions_and_negatives_are_no_labels(tmp_path):
    for values in (np.full((4, 4, 4), 0.5), np.full((4, 4, 4), -1.0)):
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "l.nii")
        with pytest.raises(DsirError, match=r"l\.nii is not a label map"):
            read_labels(tmp_path / "l.nii")


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Each kind of bad input, and what its sentence must say."""
    values = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)

    def nifti(name: str, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
        file = nib.Nifti1Image(array, np.eye(4))
        if affine is not None:
            file.header["sform_code"], file.header["qform_code"] = 1, 0
            file.header["srow_x"], file.header["srow_y"], file.header["srow_z"] = affine[:3]
            file.header["magic"], file.header["vox_offset"] = b"n+1", 352
            (folder / name).write_bytes(file.header.binaryblock + bytes(4) + array.tobytes("F"))
        else:
            nib.save(file, folder / name)
        return folder / name

    nan = values.copy()
    nan[:2, 0, 0] = np.nan
    nan[4, 4, 4] = np.inf
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    color = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    whole = gzip.compress(nifti("whole.nii", values).read_bytes())
    (folder / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "text.nii.gz").write_text("a letter")
    (folder / "text.nrrd").write_text("a letter")
    (folder / "empty.nii.gz").write_bytes(b"")
    (folder / "none").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(values), str(folder / "cut.mha"))
    (folder / "cut.mha").write_bytes((folder / "cut.mha").read_bytes()[:600])
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 4, 4, 3), np.uint8), isVector=True), str(folder / "rgb.nrrd"))
    sitk.WriteImage(sitk.GetImageFromArray(values[0]), str(folder / "flat.mha"))
    return {
        "missing": (folder / "nowhere.nii.gz", "does not exist"),
        "NaN": (nifti("nan.nii", nan), "3 voxels"),
        "constant": (nifti("constant.nii", np.ones((4, 4, 4), np.float32)), "constant"),
        "2-D": (nifti("2d.nii", values[:, :, 0]), "2-D"),
        "2-D MetaImage": (folder / "flat.mha", "2-D"),
        "4-D": (nifti("4d.nii", np.stack([values, values], -1)), "4 dimensions"),
        "one slice": (nifti("slice.nii", values[:, :, :1]), "single slice"),
        "sheared": (nifti("sheared.nii", values, sheared), "sheared"),
        "singular": (nifti("singular.nii", values, np.diag([1.0, 1.0, 0.0, 1.0])), "singular"),
        "colour NIfTI": (nifti("rgb.nii", color), "colour"),
        "colour NRRD": (folder / "rgb.nrrd", "colour"),
        "complex": (nifti("complex.nii", values.astype(np.complex64)), "complex"),
        "truncated gzip": (folder / "cut.nii.gz", "damaged"),
        "truncated MetaImage": (folder / "cut.mha", "damaged"),
        "text as NIfTI": (folder / "text.nii.gz", "not a NIfTI"),
        "text as NRRD": (folder / "text.nrrd", "not an image"),
        "zero bytes": (folder / "empty.nii.gz", "not a NIfTI"),
        "empty folder": (folder / "none", "is empty"),
    }


KINDS = [
    *("missing", "NaN", "constant", "2-D", "2-D MetaImage", "4-D", "one slice", "sheared", "singular", "colour NIfTI"),
    *("colour NRRD", "complex", "truncated gzip", "truncated MetaImage", "text as NIfTI", "text as NRRD", "zero bytes"),
    "empty folder",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_gets_one_sentence_with_its_name(tmp_path, kind):
    path, says = bad_files(tmp_path)[kind]
    with pytest.raises(DsirError) as caught:
        read_image(path)
    message = str(caught.value)
    assert str(path) in message and says in message
    assert "\n" not in message and message.endswith(".")


def dicom_slice(folder: Path, number: int, z: float, *, series: str = "1.2.3", sideways: float = 0.0) -> None:
    """One CT slice on an oblique plane, HU = stored - 1024."""
    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = pydicom.uid.CTImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = f"{series}.{number + 1}"
    file.StudyInstanceUID, file.SeriesInstanceUID, file.FrameOfReferenceUID = "1.2", series, "1.9"
    file.Modality, file.PatientName, file.InstanceNumber = "CT", "Secret^Name", number + 1
    turn = rotation(15)
    file.ImageOrientationPatient = [f"{v:.8f}" for v in (*turn[:, 0], *turn[:, 1])]
    file.ImagePositionPatient = [f"{v:.6f}" for v in turn @ np.array([10.0, 20.0 + sideways, z])]
    file.PixelSpacing, file.SliceThickness = [1.5, 2.0], 3
    file.RescaleSlope, file.RescaleIntercept = 1, -1024
    file.Rows, file.Columns, file.SamplesPerPixel, file.PhotometricInterpretation = 8, 6, 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
    pixels = np.arange(48, dtype=np.uint16).reshape(8, 6) + 100 * number
    file.PixelData = pixels.tobytes()
    file.save_as(folder / f"{series}-{99 - number}.dcm", enforce_file_format=True)  # names run against the slices


def test_a_dicom_series_is_placed_by_its_geometry(tmp_path):
    for number in range(5):
        dicom_slice(tmp_path, number, 3.0 * number)
    image = read_image(tmp_path)
    assert image.data.shape == (6, 8, 5) and np.allclose(image.lattice.spacing, [2.0, 1.5, 3.0])
    assert image.data[2, 3, 4] == 400 + 3 * 6 + 2 - 1024
    lps = rotation(15) @ np.array([10.0 + 2 * 2.0, 20.0 + 3 * 1.5, 12.0])
    assert np.allclose(image.lattice.to_world(np.array([2, 3, 4])), lps * [-1, -1, 1], atol=1e-4)


def test_two_series_in_a_folder_are_listed_without_names_of_persons(tmp_path):
    for number in range(3):
        dicom_slice(tmp_path, number, 3.0 * number)
        dicom_slice(tmp_path, number, 3.0 * number, series="1.2.4")
    with pytest.raises(DsirError, match="2 DICOM series") as caught:
        read_image(tmp_path)
    assert "3 slices" in str(caught.value) and "--series" in str(caught.value) and "Secret" not in str(caught.value)


def test_a_missing_slice_is_interpolated_and_a_tilted_gantry_straightened_and_both_are_said(tmp_path):
    for name, places in (("gap", [0, 1, 3, 4]), ("tilt", [0, 1, 2, 3])):
        (tmp_path / name).mkdir()
        for number in places:
            sideways = 0.75 * number if name == "tilt" else 0.0
            dicom_slice(tmp_path / name, number, 3.0 * number, sideways=sideways)
    gap = read_image(tmp_path / "gap")
    assert gap.data.shape == (6, 8, 5) and "lacks 1 of its 5 slices" in gap.remarks[0]
    assert torch.allclose(gap.data[..., 2], (gap.data[..., 1] + gap.data[..., 3]) / 2)
    tilt = read_image(tmp_path / "tilt")
    assert tilt.data.shape == (6, 10, 4) and "tilted by" in tilt.remarks[0]  # half a row further down each slice
    assert torch.allclose(tilt.data[:, 1:9, 2], tilt.data[:, 0:8, 0] + 200, atol=0.1)  # 1.5 mm are one row


def test_one_dicom_slice_asks_for_its_folder(tmp_path):
    dicom_slice(tmp_path, 0, 0.0)
    with pytest.raises(DsirError, match="is a single slice; give the folder of its series"):
        read_image(next(tmp_path.iterdir()))


RT = Path(__file__).parents[3] / "shared" / "data" / "rt" / "pat_1"


@pytest.mark.skipif(not RT.is_dir(), reason="the shared RT data are not on this machine")
def test_a_planning_ct_beside_its_structure_set_is_read():
    image = read_image(RT)
    assert image.data.shape == (204, 201, 60) and image.data.min() >= -1024


def test_a_scan_given_as_a_label_map_is_refused_and_a_fine_atlas_is_none(tmp_path):
    index = np.indices((24, 24, 24)) // 2
    atlas = (index * np.array([1, 12, 144])[:, None, None, None]).sum(0)  # 1,728 cubes of 2 voxels
    scan = np.random.default_rng(0).integers(0, 4095, atlas.shape)
    for name, values in (("atlas", atlas), ("scan", scan)):
        nib.save(nib.Nifti1Image(values.astype(np.int16), np.eye(4)), tmp_path / f"{name}.nii.gz")
    assert len(read_labels(tmp_path / "atlas.nii.gz")[0].unique()) == 1728
    with pytest.raises(DsirError, match="is not a label map but a scan"):
        read_labels(tmp_path / "scan.nii.gz")

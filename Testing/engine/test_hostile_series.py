"""DICOM series whose values or slices nobody knows for certain: refused in a sentence, or said once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_made import make_series
from dsir.cli.main import main
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice

GRID = Lattice((12, 11, 10), np.diag([-2.0, -2.0, 3.0, 1.0]))


def test_one_series_in_two_roles_says_a_thing_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = f"{series_of(tmp_path, without_slope)}"
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "id.tfm"))
    out = f"{tmp_path}/out.nii.gz"
    assert main(["apply", "-t", f"{tmp_path}/id.tfm", "--reference", scan, "--image", scan, "-o", out]) == 0
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count("need not be HU") == 1


def series_of(folder: Path, change: Callable[[int, pydicom.Dataset], None]) -> Path:
    """A CT whose slices were changed."""
    made = make_series(folder / "ct", GRID, values=lambda world: 40.0 + world[..., 0] + 3 * world[..., 2])
    for number, file in enumerate(sorted(made.iterdir())):
        dataset = pydicom.dcmread(file)
        change(number, dataset)
        dataset.save_as(file)
    return made


def without_slope(number: int, dataset: pydicom.Dataset) -> None:
    del dataset.RescaleSlope, dataset.RescaleIntercept


def test_a_ct_without_a_rescale_slope_says_so_and_an_empty_slope_is_one(tmp_path: Path) -> None:
    series = read_series(series_of(tmp_path, without_slope))
    assert "need not be HU" in " ".join(series.volume().remarks)
    half = read_series(series_of(tmp_path / "half", lambda number, dataset: dataset.pop("RescaleIntercept")))
    assert "need not be HU" in " ".join(half.volume().remarks)  # a slope of 1 alone scales nothing
    truth = read_series(make_series(tmp_path / "other", GRID, values=lambda w: 40.0 + w[..., 0] + 3 * w[..., 2]))
    assert truth.volume().remarks == ()

    def empty(number: int, dataset: pydicom.Dataset) -> None:
        dataset.RescaleSlope = None

    found = read_series(series_of(tmp_path / "empty", empty)).volume()
    assert np.array_equal(found.data, truth.volume().data) and found.remarks == ()


@pytest.mark.parametrize("bytes_left", [0, 132, 400, 700])
def test_a_slice_that_cannot_be_read_is_said(bytes_left: int, tmp_path: Path) -> None:
    """The last one leaves no gap: without a word the scan would end a slice early."""
    folder = series_of(tmp_path, lambda number, dataset: None)
    (folder / "._slice_000.dcm").write_bytes(b"\0\5\x16\7\0")  # a Mac's note beside a file
    whole = read_series(folder)
    assert whole.remarks == ()
    last = sorted(folder.glob("slice*"))[-1]
    last.write_bytes(last.read_bytes()[:bytes_left])
    short = read_series(folder)
    assert short.lattice.shape[2] == whole.lattice.shape[2] - 1
    assert f"cannot be read: 1 (the first is {last.name}); slices may be missing" in " ".join(short.remarks)


def test_slices_under_one_uid_are_all_there_and_slices_of_many_series_are_counted(tmp_path: Path) -> None:
    def one_uid(number: int, dataset: pydicom.Dataset) -> None:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"

    assert read_series(series_of(tmp_path, one_uid)).lattice.shape == GRID.shape

    def own_series(number: int, dataset: pydicom.Dataset) -> None:
        dataset.SeriesInstanceUID = f"1.2.3.{number}"

    with pytest.raises(DsirError, match="holds no scan: none of its 10 series is a volume"):
        read_series(series_of(tmp_path / "many", own_series))


def turned_over(number: int, dataset: pydicom.Dataset) -> None:
    dataset.RescaleSlope = -1


def test_a_ct_whose_slopes_are_all_negative_says_so(tmp_path: Path) -> None:
    (said,) = read_series(series_of(tmp_path, turned_over)).volume().remarks
    assert said.code == "ct_negative_slope" and said.values["slope"] == -1 and "bone is brighter than air" in said


def of_slice_four(attribute: str, value: float) -> Callable[[int, pydicom.Dataset], None]:
    def change(number: int, dataset: pydicom.Dataset) -> None:
        setattr(dataset, attribute, value if number == 4 else getattr(dataset, attribute))

    return change


@pytest.mark.parametrize(("attribute", "value"), [("RescaleSlope", 1000), ("RescaleIntercept", 0)])
def test_a_ct_whose_slices_are_rescaled_otherwise_says_so(attribute: str, value: float, tmp_path: Path) -> None:
    (remark,) = read_series(series_of(tmp_path, of_slice_four(attribute, value))).volume().remarks
    assert "does not rescale its slices alike" in remark and "need not be HU" in remark


def some_without(number: int, dataset: pydicom.Dataset) -> None:
    if number < 3:
        without_slope(number, dataset)


def by_table(number: int, dataset: pydicom.Dataset) -> None:
    without_slope(number, dataset)
    dataset.ModalityLUTSequence = [pydicom.Dataset()]


def unturned(number: int, dataset: pydicom.Dataset) -> None:
    if number == 4:
        del dataset.ImageOrientationPatient


def cut_pixels(number: int, dataset: pydicom.Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-20] if number == 4 else dataset.PixelData


def more_pixels(number: int, dataset: pydicom.Dataset) -> None:
    dataset.Rows -= 1


def in_upper_bits(number: int, dataset: pydicom.Dataset) -> None:
    dataset.BitsStored, dataset.HighBit = 12, 15


def in_a_private_way(number: int, dataset: pydicom.Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = "1.2.840.113619.5.2"


def two_of(attribute: str, one: str, other: str) -> Callable[[int, pydicom.Dataset], None]:
    def change(number: int, dataset: pydicom.Dataset) -> None:
        setattr(dataset, attribute, one if number < 4 else other)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (more_pixels, "pixels of slice_000.dcm are more than its rows"),
        (two_of("FrameOfReferenceUID", "1.2.3", "1.2.4"), "its slices are of 2 frames of reference"),
        (two_of("PatientID", "a", "b"), "its slices are of 2 patients"),
        (two_of("Modality", "CT", "MR"), "its slices are of 2 modalities"),
        (two_of("PhotometricInterpretation", "MONOCHROME1", "MONOCHROME2"), "2 kinds of brightness"),
        (two_of("Units", "BQML", "CNTS"), "its slices are of 2 units"),
        (of_slice_four("RescaleSlope", -1), "some of its slices have a negative rescale slope"),
        (of_slice_four("RescaleSlope", 0), "slice_004.dcm says that its rescale slope is 0"),
        (some_without, "3 of its 10 slices say no rescale slope"),
        (by_table, "Modality LUT"),
        (unturned, "1 of its 10 slices have no orientation"),
        (in_upper_bits, "slice_000.dcm keeps its values in upper bits"),
        (in_a_private_way, r"stored in a private way \(1.2.840.113619.5.2\)"),
        (cut_pixels, "pixels of slice_004.dcm are damaged"),
    ],
)
def test_slices_whose_values_nobody_knows_are_refused(
    change: Callable[[int, pydicom.Dataset], None], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DsirError, match=said):
        read_series(series_of(tmp_path, change)).volume()

"""DICOM as it comes: what a folder holds is told apart, and doubt about geometry is said, not filled in."""

from __future__ import annotations

import shutil
from pathlib import Path

import dicom_made
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import torch
from dicom_made import change
from dsir.cli.main import main
from dsir.dicom.discover import discover
from dsir.dicom.identity import Identity, identity_of
from dsir.dicom.picks import picking
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.files.images import read_image
from dsir.geometry.lattice import Lattice
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLosslessSV1, RLELossless

GRID = Lattice((14, 12, 9), np.diag([2.0, 2.5, 3.0, 1.0]) @ np.diag([-1.0, -1.0, 1.0, 1.0]))


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return dicom_made.make_series(tmp_path / "ct", GRID)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.dcm"))


def test_files_without_preamble_in_subfolders_beside_other_things_are_one_series(ct: Path) -> None:
    before = read_image(ct).data
    (ct / "deep").mkdir()
    for path in files(ct)[:4]:
        dataset = pydicom.dcmread(path)
        bare = ct / "deep" / path.stem
        pydicom.dcmwrite(bare, Dataset(dict(dataset)), implicit_vr=True, little_endian=True, enforce_file_format=False)
        path.unlink()
    (ct / "notes.txt").write_text("not an image")
    dicom_made.make_rtstruct(ct / "rs.dcm", GRID, {"a": dicom_made.ball(GRID, GRID.centre, 6)}, frame="1.2")
    assert np.array_equal(read_image(ct).data, before)
    assert len(read_series(ct).slices) == 9


def test_copies_of_slices_are_passed_over_and_said(ct: Path) -> None:
    before = read_image(ct).data
    shutil.copy(files(ct)[3], ct / "copy.dcm")
    image = read_image(ct)
    assert np.array_equal(image.data, before) and "passed over: 1" in image.remarks[0]


def test_a_localiser_in_the_series_is_left_out(ct: Path) -> None:
    def sideways(dataset: Dataset) -> None:
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    change(files(ct)[0], sideways, ct / "scout.dcm")
    image = read_image(ct)
    assert image.data.shape == GRID.shape and "localiser" in image.remarks[0]


def test_two_time_points_are_two_volumes_and_one_is_picked(ct: Path) -> None:
    for path in files(ct):
        change(path, lambda d: setattr(d, "TemporalPositionIdentifier", 1))

        def later(dataset: Dataset) -> None:
            dataset.TemporalPositionIdentifier, dataset.RescaleIntercept = 2, 0

        change(path, later, path.with_name("late_" + path.name))
    with pytest.raises(DsirError, match=r"2 volumes.*volume 1 of 2.*--series"):
        read_image(ct)
    with picking(["2"]):
        second = read_image(ct)
    with picking(["ct=volume 1"]):
        first = read_image(ct)
    assert np.allclose(second.data - first.data, 1024)
    with picking(["7"]), pytest.raises(DsirError, match=r"No volume of .* is what --series 7 says"):
        read_image(ct)


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_geometry_that_is_missing_is_never_made_up(ct: Path, tag: str) -> None:
    for path in files(ct):
        change(path, lambda d: delattr(d, tag))
    with pytest.raises(DsirError, match="nobody knows where they lie"):
        read_image(ct)


def test_positions_rounded_to_a_tenth_are_even(ct: Path) -> None:
    for k, path in enumerate(files(ct)):
        change(path, lambda d, k=k: setattr(d, "ImagePositionPatient", [0, 0, round(1.25 * k, 1)]))
    assert read_image(ct).lattice.spacing[2] == pytest.approx(1.25, abs=0.01)


def test_many_missing_slices_are_refused(ct: Path) -> None:
    for path in files(ct)[2:6]:
        path.unlink()
    with pytest.raises(DsirError, match="lacks 4 slices in a row"):
        read_image(ct)


def test_every_slice_has_its_own_slope(ct: Path) -> None:
    for k, path in enumerate(files(ct)):

        def scaled(dataset: Dataset, k: int = k) -> None:
            dataset.Modality, dataset.RescaleSlope, dataset.RescaleIntercept = "PT", 1 if k == 0 else 0.125 * k, 0
            dataset.PixelData = np.full((12, 14), 100 + k, np.uint16).tobytes()

        change(path, scaled)
    planes = read_image(ct).data[0, 0]
    assert planes.tolist() == [100.0, *[0.125 * k * (100 + k) for k in range(1, 9)]]


def test_philips_mr_is_divided_by_its_own_slope_where_slices_differ(ct: Path) -> None:
    for k, path in enumerate(files(ct)):

        def philips(dataset: Dataset, k: int = k) -> None:
            dataset.Manufacturer, dataset.Modality = "Philips Medical Systems", "MR"
            dataset.RescaleSlope, dataset.RescaleIntercept = 2.0 + k, 0
            dataset.add_new((0x2005, 0x0010), "LO", "Philips MR Imaging DD 001")
            dataset.add_new((0x2005, 0x100E), "FL", 1.0 / (2.0 + k))
            values = np.full((12, 14), 500 // (2 + k), np.uint16)
            values[0, 0] = 0
            dataset.PixelData = values.tobytes()

        change(path, philips)
    planes = read_image(ct).data[3, 3]
    assert max(abs(v - 500) for v in planes.tolist()) < 10  # stored whole numbers times 2 + k


@pytest.mark.parametrize("slope", [1, 0.5])
def test_lossless_jpeg_as_scanners_write_it_is_read_to_the_last_digit(ct: Path, tmp_path: Path, slope: float) -> None:
    for path in files(ct):
        change(path, lambda dataset: setattr(dataset, "RescaleSlope", slope))
    plain = read_image(ct).data
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(tmp_path / "slice.dcm"))
    writer.SetUseCompression(True)
    writer.SetCompressor("JPEG")  # which GDCM writes without loss, and pydicom alone does not read
    for path in files(ct):
        dataset = pydicom.dcmread(path)
        writer.Execute(sitk.GetImageFromArray(dataset.pixel_array.astype(np.uint16)[None]))
        coded = pydicom.dcmread(tmp_path / "slice.dcm")
        dataset["PixelData"], dataset.file_meta.TransferSyntaxUID = coded["PixelData"], JPEGLosslessSV1
        dataset.save_as(path)
    (tmp_path / "slice.dcm").unlink()
    assert np.array_equal(read_image(ct).data, plain)


def test_compressed_slices_are_read_and_colour_is_refused(ct: Path) -> None:
    before = read_image(ct).data
    for path in files(ct):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless)
        dataset.save_as(path)
    assert np.array_equal(read_image(ct).data, before)
    for path in files(ct):

        def colour(dataset: Dataset) -> None:
            dataset.decompress()
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
            dataset.BitsAllocated = dataset.BitsStored = 8
            dataset.HighBit = 7
            dataset.PixelData = np.zeros((12, 14, 3), np.uint8).tobytes()

        change(path, colour)
    with pytest.raises(DsirError, match="in colour"):
        read_image(ct)


def test_a_slice_shifted_sideways_by_half_a_pixel_is_refused_and_a_rounded_one_is_not(ct: Path) -> None:
    half = float(pydicom.dcmread(files(ct)[0]).PixelSpacing[0]) / 2

    def aside(dataset: Dataset, mm: float) -> None:
        dataset.ImagePositionPatient[0] = float(dataset.ImagePositionPatient[0]) + mm

    change(files(ct)[2], lambda dataset: aside(dataset, 0.05))
    read_image(ct)
    change(files(ct)[2], lambda dataset: aside(dataset, half))
    with pytest.raises(DsirError, match="some are shifted sideways by up to"):
        read_image(ct)


def test_every_command_gives_the_same_answer(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in files(ct):
        change(path, lambda d: setattr(d, "SeriesInstanceUID", "1.2.9"), path.with_name("other_" + path.name))
    assert len([v for v in discover(ct).volumes if v.scan]) == 2
    answers = set()
    for words in (
        ["register", "--fixed", str(ct), "--moving", str(ct), "--out", str(tmp_path / "r")],
        ["describe", "--input", str(ct), "--out", str(tmp_path / "d.npy")],
        ["query", "--image", str(ct), "--ras", "0", "0", "0"],
    ):
        assert main(words) == 2
        answers.add(capsys.readouterr().err.strip().split("dsir: ")[-1])
    assert len(answers) == 1, answers


def test_people_are_told_apart_by_what_both_say() -> None:
    one, other = Dataset(), Dataset()
    one.PatientID, one.PatientName, one.PatientSex = "12 ", "DOE^Jane", "F"
    other.PatientID, other.PatientName = "12", "doe^jane "
    assert identity_of(one).differences(identity_of(other)) == ()
    other.PatientBirthDate, other.PatientID = "19700101", "13"
    assert identity_of(one).differences(identity_of(other)) == ("patient ID",)
    assert identity_of(one).differences(Identity()) == ()
    assert "Jane" not in repr(identity_of(one)) and "jane" not in repr(identity_of(one))


def test_a_folder_is_looked_into_again_only_when_a_file_of_it_has_changed(
    ct: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    once = discover.__globals__["read_header"]
    monkeypatch.setitem(discover.__globals__, "read_header", lambda file: opened.append(file) or once(file))
    before = len(discover(ct).volumes[0].planes)
    count = len(opened)
    assert discover(ct).files == before and len(opened) == count
    file = sorted(ct.iterdir())[0]
    dataset = pydicom.dcmread(file)
    dataset.SeriesDescription = "changed"
    dataset.save_as(file)
    assert "changed" in discover(ct).volumes[0].description
    file.unlink()
    assert len(discover(ct).volumes[0].planes) == before - 1


def test_the_same_pixels_under_another_uid_are_a_copy(ct: Path) -> None:
    before = read_image(ct).data
    for n, path in enumerate(files(ct)[:2]):
        change(path, lambda d, n=n: setattr(d, "ContentTime", f"12000{n}"), path.with_name("again_" + path.name))
    image = read_image(ct)
    assert np.array_equal(image.data, before) and "passed over: 2" in image.remarks[0]
    change(files(ct)[0], lambda d: setattr(d, "PixelData", bytes(len(d.PixelData))))
    with pytest.raises(DsirError, match="two slices at one place"):
        read_image(ct)


def test_a_dicomdir_stands_for_its_folder_and_one_slice_asks_for_it(ct: Path) -> None:
    before = read_image(ct).data
    (ct / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    assert np.array_equal(read_image(ct / "DICOMDIR").data, before)
    with pytest.raises(DsirError, match="is a single slice; give the folder of its series"):
        read_image(files(ct)[0])


def test_pixels_that_were_never_measured_are_background(ct: Path) -> None:
    least = float(read_image(ct).data.min())
    for path in files(ct):

        def pad(dataset: Dataset) -> None:
            values = dataset.pixel_array.astype(np.int16)
            values[0] = -32768
            dataset.PixelRepresentation, dataset.PixelData = 1, values.tobytes()
            dataset.add_new(0x00280120, "SS", -32768)

        change(path, pad)
    padded = read_image(ct).data
    assert padded[:, 1:].min() >= least and (padded[:, 0] == -1000).all()

    for path in files(ct):
        change(path, lambda dataset: setattr(dataset, "Modality", "MR"))
    padded = read_image(ct).data
    assert padded.min() >= least and torch.equal(padded[:, 0, 4], padded[:, 1:, 4].min().expand(14))


def test_a_scan_a_kilometre_away_is_refused(ct: Path) -> None:
    for k, path in enumerate(files(ct)):
        change(path, lambda d, k=k: setattr(d, "ImagePositionPatient", [1e30, 0, 3 * k]))
    with pytest.raises(DsirError, match="more than a kilometre"):
        read_image(ct)

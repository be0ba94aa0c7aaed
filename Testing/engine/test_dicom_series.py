"""DICOM as it comes: what a folder holds is told apart, and doubt about geometry is said, not filled in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import dicom_made
import numpy as np
import pydicom
import pytest
import torch
from dsir.cli.main import main
from dsir.dicom.discover import discover
from dsir.dicom.identity import Identity, identity_of
from dsir.dicom.picks import picking
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.files.displacements import write_displacement_nifti
from dsir.files.images import read_image
from dsir.files.report import write_report
from dsir.geometry.lattice import Lattice
from grids import field_of
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

GRID = Lattice((14, 12, 9), np.diag([2.0, 2.5, 3.0, 1.0]) @ np.diag([-1.0, -1.0, 1.0, 1.0]))


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return dicom_made.make_series(tmp_path / "ct", GRID)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.dcm"))


def change(path: Path, what: Callable[[Dataset], None], to: Path | None = None) -> None:
    dataset = pydicom.dcmread(path)
    what(dataset)
    if to is not None:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.save_as(to or path)


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


def enhanced(path: Path, places: list[float], *, times: list[int] | None = None) -> Path:
    """A multi-frame CT with a frame at each z (mm LPS), all of them 40 + z."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2.1", generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.Modality, d.SeriesInstanceUID, d.Rows, d.Columns, d.NumberOfFrames = "CT", generate_uid(), 6, 5, len(places)
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
    d.BitsAllocated = d.BitsStored = 16
    d.HighBit = 15
    shared, measures, turn = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, turn.ImageOrientationPatient = [2, 2], [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([turn])
    d.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for n, z in enumerate(places):
        frame, place, content, value = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, z]
        content.TemporalPositionIndex = times[n] if times else 1
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = 1, 0, "HU"
        frame.PlanePositionSequence, frame.FrameContentSequence = Items([place]), Items([content])
        frame.PixelValueTransformationSequence = Items([value])
        frames.append(frame)
    d.PerFrameFunctionalGroupsSequence = Items(frames)
    values = [np.arange(30).reshape(6, 5) + 40 + z + 100 * (times[n] if times else 0) for n, z in enumerate(places)]
    d.PixelData = np.stack(values).astype(np.uint16).tobytes()
    d.save_as(path, enforce_file_format=True)
    return path


def test_frames_are_placed_by_their_own_positions_whatever_their_order(tmp_path: Path) -> None:
    image = read_image(enhanced(tmp_path / "e.dcm", [6.0, 0.0, 3.0, 9.0]))
    assert image.data[0, 0].tolist() == [40, 43, 46, 49] and image.lattice.spacing.tolist() == [2, 2, 3]


def test_a_missing_frame_and_two_times_in_one_object_are_seen(tmp_path: Path) -> None:
    gap = read_image(enhanced(tmp_path / "gap.dcm", [0.0, 3.0, 9.0, 12.0]))
    assert gap.data.shape == (5, 6, 5) and "lacks 1 of its 5" in gap.remarks[0]
    both = enhanced(tmp_path / "times.dcm", [0.0, 3.0, 6.0] * 2, times=[1, 1, 1, 2, 2, 2])
    with pytest.raises(DsirError, match="2 volumes"):
        read_image(both)
    with picking(["2"]):
        assert read_image(both).data[0, 0].tolist() == [240, 243, 246]


def test_a_part_of_a_concatenation_that_is_missing_is_said(tmp_path: Path) -> None:
    for number, places in enumerate(([0.0, 3.0], [6.0, 9.0]), start=1):

        def part(dataset: Dataset, number: int = number) -> None:
            dataset.SeriesInstanceUID = dataset.ConcatenationUID = "1.2.3"
            dataset.InConcatenationNumber, dataset.InConcatenationTotalNumber = number, 2

        change(enhanced(tmp_path / f"{number}.dcm", places), part)
    whole = read_image(tmp_path)
    assert whole.data.shape[2] == 4 and whole.remarks == ()
    (tmp_path / "2.dcm").unlink()
    assert read_image(tmp_path).remarks[0].startswith("1 of 2 parts")
    change(tmp_path / "1.dcm", lambda dataset: delattr(dataset, "InConcatenationTotalNumber"))
    assert "a last one that is missing would not be seen" in read_image(tmp_path).remarks[0]


def test_a_slice_shifted_sideways_by_half_a_pixel_is_refused_and_a_rounded_one_is_not(ct: Path) -> None:
    half = float(pydicom.dcmread(files(ct)[0]).PixelSpacing[0]) / 2

    def aside(dataset: Dataset, mm: float) -> None:
        dataset.ImagePositionPatient[0] = float(dataset.ImagePositionPatient[0]) + mm

    change(files(ct)[2], lambda dataset: aside(dataset, 0.05))
    read_image(ct)
    change(files(ct)[2], lambda dataset: aside(dataset, half))
    with pytest.raises(DsirError, match="some are shifted sideways by up to"):
        read_image(ct)


@pytest.mark.parametrize("spacing", [4.0, -4.0])
def test_reconstructed_nuclear_medicine_lies_where_its_detector_and_slice_vector_say(
    tmp_path: Path, spacing: float
) -> None:
    path, values = tmp_path / "nm.dcm", np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [-10, -20, 30], [1, 0, 0, 0, 1, 0]

    def nuclear(dataset: Dataset) -> None:
        del dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.20"
        dataset.Modality, dataset.ImageType = "NM", ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
        dataset.NumberOfFrames, dataset.Rows, dataset.Columns = values.shape
        dataset.DetectorInformationSequence, dataset.SliceVector = Items([detector]), [1, 2, 3, 4, 5]
        dataset.PixelSpacing, dataset.SpacingBetweenSlices = [3, 2], spacing
        dataset.PixelData = values.tobytes()

    change(enhanced(path, [0.0, 3.0]), nuclear)
    image = read_image(path)
    for k in range(5):  # each frame's first pixel
        at = image.lattice.to_index(np.array([[10.0, 20.0, 30.0 + spacing * k]]))[0].round().astype(int)
        assert image.data[tuple(at)] == values[k, 0, 0]
    change(path, lambda dataset: delattr(dataset, "SpacingBetweenSlices"))
    with pytest.raises(DsirError, match="nobody knows where they lie"):
        read_image(path)


def test_a_frame_without_orientation_is_no_localiser(tmp_path: Path) -> None:
    def unsay(dataset: Dataset) -> None:
        groups = dataset.PerFrameFunctionalGroupsSequence
        for frame in (groups[0], groups[1], groups[3]):
            frame.PlaneOrientationSequence = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
        del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence

    change(enhanced(tmp_path / "e.dcm", [0.0, 3.0, 6.0, 9.0]), unsay)
    with pytest.raises(DsirError, match="1 of its 4 slices have no orientation"):
        read_image(tmp_path / "e.dcm")


def test_a_volume_of_few_slices_beside_one_of_many_is_a_volume(tmp_path: Path) -> None:
    places = [3.0 * k for k in range(8)]
    path = enhanced(tmp_path / "e.dcm", [*places, *places[2:4]], times=[1] * 8 + [2] * 2)
    assert [len(volume.planes) for volume in discover(path).volumes] == [8, 2]


def test_frames_at_one_place_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DsirError, match="two slices at one place"):
        read_image(enhanced(tmp_path / "e.dcm", [0.0, 3.0, 6.0] * 2))


def test_inspect_knows_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reason = {"level": "CHECK", "code": "x", "text": "The scans hardly overlap.", "values": {}}
    report = {"command": "register", "versions": {"dsir": "1.2"}, "inputs": {"fixed": {"name": "ct.nii.gz"}},
              "verdict": {"level": "CHECK", "reasons": [reason]}, "folds": 3, "warnings": ["Look here."],
              "jacobian": {"p1": 0.8, "p99": 1.3, "smallest": 0.5, "largest": 2.0}}  # fmt: skip
    write_report(tmp_path / "report.json", report)
    assert main(["inspect", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for words in ("dsir register (dsir 1.2)", "fixed: ct.nii.gz", "CHECK: look before", "hardly overlap",
                  "×0.80 to ×1.30", "Folded voxels: 3", "Warning: Look here.", "Files: report.json"):  # fmt: skip
        assert words in printed


def test_inspect_knows_a_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_displacement_nifti(tmp_path / "u.nii.gz", field_of(Lattice((6, 5, 4), np.eye(4))))
    assert main(["inspect", str(tmp_path / "u.nii.gz")]) == 0
    assert "displacement field: 6 x 5 x 4 voxels of 1 x 1 x 1 mm" in capsys.readouterr().out


def test_inspect_knows_a_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.csv").write_text("name,state,error\none,done,\ntwo,failed,gone\n")
    (tmp_path / "results.html").touch()
    assert main(["inspect", str(tmp_path)]) == 0
    assert "one: done\ntwo: failed\n" in capsys.readouterr().out


def test_inspect_shows_series_and_other_objects_without_names(ct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dicom_made.make_rtstruct(ct / "rs.dcm", GRID, {"a": dicom_made.ball(GRID, GRID.centre, 6)}, frame="1.2")
    assert main(["inspect", str(ct)]) == 0
    said = capsys.readouterr().out
    assert "9 slices" in said and "14 x 12 x 9 voxels of 2 x 2.5 x 3 mm" in said and "RTSTRUCT" in said
    assert "Secret" not in said and "ID-4711" not in said


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


def marked(path: Path, mark: Callable[[int, Dataset], None]) -> Path:
    """Change what each frame of an enhanced object says of itself."""
    dataset = pydicom.dcmread(path)
    for n, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        mark(n, frame)
    dataset.save_as(path)
    return path


def item(**said: object) -> Items:
    dataset = Dataset()
    for name, value in said.items():
        setattr(dataset, name, value)
    return Items([dataset])


def test_frames_of_two_echoes_at_each_of_two_times_are_four_volumes(tmp_path: Path) -> None:
    path = enhanced(tmp_path / "e.dcm", [0.0, 3.0, 6.0] * 4, times=[1] * 6 + [2] * 6)
    marked(path, lambda n, frame: setattr(frame, "MREchoSequence", item(EffectiveEchoTime=[10, 20][n // 3 % 2])))
    with pytest.raises(DsirError, match="4 volumes"):
        read_image(path)
    with picking(["4"]):
        assert read_image(path).data.shape[2] == 3


def test_magnitude_and_phase_and_directions_of_diffusion_are_volumes_of_their_own(tmp_path: Path) -> None:
    both = enhanced(tmp_path / "m.dcm", [0.0, 3.0, 6.0] * 2)
    parts = ["MAGNITUDE"] * 3 + ["PHASE"] * 3
    marked(both, lambda n, f: setattr(f, "MRImageFrameTypeSequence", item(ComplexImageComponent=parts[n])))
    ways: list[Items | None] = [None, item(DiffusionGradientOrientation=[1, 0, 0]), None]
    ways[2] = item(DiffusionGradientOrientation=[0, 1, 0])

    def diffusion(n: int, frame: Dataset) -> None:
        frame.MRDiffusionSequence = item(DiffusionBValue=1000 if ways[n // 3] else 0)
        if ways[n // 3]:
            frame.MRDiffusionSequence[0].DiffusionGradientDirectionSequence = ways[n // 3]

    weighted = marked(enhanced(tmp_path / "d.dcm", [0.0, 3.0, 6.0] * 3), diffusion)
    assert [len(discover(path).volumes) for path in (both, weighted)] == [2, 3]


def test_a_dimension_that_only_the_object_names_tells_volumes_apart(tmp_path: Path) -> None:
    path = enhanced(tmp_path / "e.dcm", [0.0, 3.0, 6.0] * 2)
    marked(path, lambda n, f: setattr(f.FrameContentSequence[0], "DimensionIndexValues", [1 + n // 3, 1 + n % 3]))
    dataset = pydicom.dcmread(path)
    dataset.DimensionIndexSequence = Items(
        [*item(DimensionIndexPointer=0x00200016), *item(DimensionIndexPointer=0x00209057)]
    )
    dataset.save_as(path)
    assert [len(volume.planes) for volume in discover(path).volumes] == [3, 3]


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

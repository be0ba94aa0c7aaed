"""Bad structure sets and series: a sentence for each fault, and everything else goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_made import ball, circle, contour, make_rtstruct, make_series
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice
from dsir.rt.dose import read_dose, view_dose
from dsir.rt.structures_in import read_rtstruct
from dsir.rt.structures_out import write_rtstruct
from dsir.structures.measures import volume
from dsir.structures.structure_io import read_structures
from dsir.transforms.composite import Transform
from dsir.warp.pullback import pull_back
from pydicom.sequence import Sequence as Items
from pydicom.uid import generate_uid

pytestmark = pytest.mark.slow

GRID = Lattice((48, 44, 16), np.array([[-1.0, 0, 0, 24], [0, -1.0, 0, 22], [0, 0, 3.0, -24], [0, 0, 0, 1]]))
GOOD = ball(GRID, GRID.centre, 12.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_series(tmp_path_factory.mktemp("ct"), GRID)


@pytest.fixture
def series(folder):
    return read_series(folder)


def spoiled(tmp_path: Path, series, rois, spoil):
    """A structure set that ``spoil`` has changed, read."""
    file = tmp_path / "rs.dcm"
    dataset = make_rtstruct(file, GRID, rois, frame=series.frame_of_reference)
    spoil(dataset)
    dataset.save_as(file, enforce_file_format=True)
    return read_rtstruct(file, series)


def first(dataset, roi: int = 0):
    return dataset.ROIContourSequence[roi].ContourSequence


def test_another_frame_of_reference_leaves_the_structure_out_and_keeps_the_rest(tmp_path, series):
    def spoil(dataset):
        dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = generate_uid()

    found = spoiled(tmp_path, series, {"good": GOOD, "foreign": GOOD}, spoil)
    assert [s.name for s in found.structures] == ["good"]
    assert found.remarks == (
        "foreign is left out: it was drawn in another frame of reference than the moving series has.",
    )


def test_a_foreign_frame_is_forgiven_when_the_contours_name_this_very_series(tmp_path, series):
    def spoil(dataset):
        dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = generate_uid()
        image = pydicom.Dataset()
        image.ReferencedSOPClassUID = series.slices[5].sop_class
        image.ReferencedSOPInstanceUID = series.slices[5].sop_instance
        first(dataset)[0].ContourImageSequence = Items([image])

    assert len(spoiled(tmp_path, series, {"good": GOOD}, spoil).structures) == 1


def test_a_structure_set_that_names_no_scan_is_read_and_said(tmp_path, series):
    def spoil(dataset):
        del dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
        for drawn in first(dataset):
            drawn.pop("ContourImageSequence", None)

    found = spoiled(tmp_path, series, {"a": GOOD}, spoil)
    assert len(found.structures) == 1
    assert "does not say on which scan it was drawn" in " ".join(found.remarks)


def test_only_foreign_structures_are_an_error_that_says_so(tmp_path, series):
    make_rtstruct(tmp_path / "rs.dcm", GRID, {"a": GOOD}, frame=generate_uid())
    with pytest.raises(DsirError, match="another frame of reference"):
        read_rtstruct(tmp_path / "rs.dcm", series)


def test_missing_slices_are_said_and_bridged(tmp_path):
    series = read_series(make_series(tmp_path / "ct", GRID, without=(7, 8)))
    assert series.lattice.shape == GRID.shape and series.missing == (7, 8)
    make_rtstruct(tmp_path / "rs.dcm", GRID, {"a": GOOD}, frame=series.frame_of_reference)
    found = read_rtstruct(tmp_path / "rs.dcm", series)
    assert "lacks 2 of its 16 slices (the first is slice 8)" in found.remarks[0]
    assert bool(series.volume().data.isfinite().all())
    carried = pull_back(found.structures, Transform(), series.lattice, series.lattice)
    counts = write_rtstruct(tmp_path / "out.dcm", [c.structure for c in carried], series)
    assert counts["a"] == len(GOOD) - 2  # none on the slices that do not exist


def test_contours_missing_in_the_middle_are_filled_and_said(tmp_path, series):
    def spoil(dataset):
        del first(dataset)[3]

    found = spoiled(tmp_path, series, {"a": GOOD}, spoil).structures[0]
    assert found.remarks == ("1 slice of a without a contour was filled from the neighbours.",)
    assert volume(found)[0] == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "polygon", "words"),
    [
        ("OPEN_PLANAR", circle((20, 20), 5, GRID.spacing), "of the type OPEN_PLANAR"),
        ("CLOSED_PLANAR", np.array([[5.0, 5.0]]), "fewer than three points or no area"),
        ("CLOSED_PLANAR", np.array([[5.0, 5.0], [9.0, 9.0], [13.0, 13.0]]), "fewer than three points or no area"),
    ],
    ids=["open", "one point", "no area"],
)
def test_a_contour_that_bounds_nothing_is_left_out_and_the_rest_stays(tmp_path, series, kind, polygon, words):
    def spoil(dataset):
        first(dataset).append(contour(GRID, polygon, 9, kind))

    found = spoiled(tmp_path, series, {"a": GOOD}, spoil).structures[0]
    assert "1 contour of a was left out" in found.remarks[0]
    assert words in found.remarks[0]
    assert volume(found)[0] == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.03)


@pytest.mark.parametrize("offset, kept", [([0, 0, 0], True), ([0, 0, 5], False)])
def test_contours_that_are_to_be_shifted_are_left_out(tmp_path, series, offset, kept):
    def spoil(dataset):
        added = contour(GRID, circle((20, 20), 5, GRID.spacing), 9)
        added.ContourOffsetVector = offset
        first(dataset).append(added)

    said = " ".join(spoiled(tmp_path, series, {"a": GOOD}, spoil).structures[0].remarks)
    assert ("offset that DICOM has retired" in said) is not kept


def test_sagittal_contours_and_contours_beyond_the_scan_are_named(tmp_path, series):
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)

    def spoil(dataset):
        upright = contour(GRID, circle((20, 20), 5, GRID.spacing), 3)
        points = np.column_stack([np.full(40, 1.0), 8 * np.cos(angle), 8 * np.sin(angle)])
        upright.ContourData = [f"{v:.3f}" for v in points.ravel()]
        upright.NumberOfContourPoints = 40
        first(dataset).append(upright)
        first(dataset).append(contour(GRID, circle((20, 20), 5, GRID.spacing), 40))

    said = " ".join(spoiled(tmp_path, series, {"a": GOOD}, spoil).structures[0].remarks)
    assert "not parallel to the slices" in said and "beyond the first or last slice" in said


def test_broken_coordinates_are_named(tmp_path, series):
    def spoil(dataset):
        item = contour(GRID, circle((20, 20), 5, GRID.spacing), 3)
        item.ContourData = item.ContourData[:-1]
        first(dataset).append(item)

    assert "triples of numbers" in spoiled(tmp_path, series, {"a": GOOD}, spoil).structures[0].remarks[0]


def test_an_empty_structure_is_left_out_by_name(tmp_path, series):
    def spoil(dataset):
        del dataset.ROIContourSequence[1].ContourSequence

    found = spoiled(tmp_path, series, {"good": GOOD, "nothing": GOOD}, spoil)
    assert found.remarks == ("nothing is left out: it has no contours.",)


def test_duplicate_names_are_told_apart(tmp_path, series):
    def spoil(dataset):
        dataset.StructureSetROISequence[1].ROIName = "PTV"

    found = spoiled(tmp_path, series, {"PTV": GOOD, "other": GOOD}, spoil)
    assert [s.name for s in found.structures] == ["PTV", "PTV (2)"]
    assert found.remarks == ("Two structures are named PTV; the later one is called PTV (2).",)


def test_a_contour_of_ten_thousand_points_is_read_like_any_other(tmp_path, series):
    many = {k: [circle((24.0, 22.0), 11.0, GRID.spacing, 10_000)] for k in (6, 7)}
    found = spoiled(tmp_path, series, {"skin": many}, lambda dataset: None).structures[0]
    assert volume(found)[0] == pytest.approx(np.pi * 1.1**2 * 0.6, rel=0.01)


def test_a_structure_without_a_name_gets_its_number(tmp_path, series):
    def spoil(dataset):
        dataset.StructureSetROISequence[0].ROIName = ""

    assert spoiled(tmp_path, series, {"a": GOOD}, spoil).structures[0].name == "ROI 1"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p, f: p.write_text("hello"), "is not a DICOM file"),
        (lambda p, f: p.write_bytes(next(f.iterdir()).read_bytes()), "is not an RTSTRUCT but CT"),
        (lambda p, f: None, "does not exist"),
    ],
    ids=["text", "a CT slice", "missing"],
)
def test_what_is_no_structure_set_is_refused_in_a_sentence(tmp_path, folder, series, make, words):
    make(tmp_path / "rs.dcm", folder)
    with pytest.raises(DsirError, match=words):
        read_rtstruct(tmp_path / "rs.dcm", series)


def test_a_structure_set_without_a_preamble_is_read_as_slices_without_one_are(tmp_path, series):
    make_rtstruct(tmp_path / "rs.dcm", GRID, {"a": GOOD}, frame=series.frame_of_reference)
    content = (tmp_path / "rs.dcm").read_bytes()
    meta = int.from_bytes(content[140:144], "little")  # its length, after the preamble and the first tag
    (tmp_path / "bare.dcm").write_bytes(content[144 + meta :])
    (found,) = read_rtstruct(tmp_path / "bare.dcm", series).structures
    assert found.name == "a"


def test_a_truncated_structure_set_is_refused_or_read_in_part(tmp_path, series):
    make_rtstruct(tmp_path / "rs.dcm", GRID, {"a": GOOD}, frame=series.frame_of_reference)
    whole = (tmp_path / "rs.dcm").read_bytes()
    (tmp_path / "rs.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DsirError):
        read_rtstruct(tmp_path / "rs.dcm", series)


def test_a_folder_without_a_usable_series_is_refused_in_a_sentence(tmp_path, folder):
    with pytest.raises(DsirError, match="does not exist"):
        read_series(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DsirError, match="is empty"):
        read_series(tmp_path / "empty")
    make_series(tmp_path / "two" / "a", GRID)
    make_series(tmp_path / "two" / "b", GRID)
    with pytest.raises(DsirError, match="holds 2 DICOM series"):
        read_series(tmp_path / "two")
    make_series(tmp_path / "one", GRID, without=range(1, 16))
    with pytest.raises(DsirError, match="single slice"):
        read_series(tmp_path / "one")


def test_slices_that_are_not_even_are_refused_with_their_gaps(tmp_path):
    make_series(tmp_path / "ct", GRID)
    file = tmp_path / "ct" / "slice_004.dcm"
    dataset = pydicom.dcmread(file)
    dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], float(dataset.ImagePositionPatient[2]) + 1.2]
    dataset.save_as(file)
    with pytest.raises(DsirError, match=r"not evenly spaced. Most lie 3 mm apart, but gaps run from 1\.8 to 4\.2 mm"):
        read_series(tmp_path / "ct")


def test_other_files_in_the_series_folder_do_no_harm(tmp_path):
    make_series(tmp_path / "ct", GRID)
    (tmp_path / "ct" / "notes.txt").write_text("not DICOM")
    make_rtstruct(tmp_path / "ct" / "rs.dcm", GRID, {"a": GOOD}, frame=generate_uid())
    assert read_series(tmp_path / "ct").lattice.matches(GRID)


def test_an_rtstruct_without_its_series_is_refused(tmp_path):
    make_rtstruct(tmp_path / "rs.dcm", GRID, {"a": GOOD}, frame=generate_uid())
    with pytest.raises(DsirError, match="needs the DICOM series"):
        read_structures(tmp_path / "rs.dcm")


def test_a_dose_is_resampled_and_named_as_a_view(tmp_path):
    file = tmp_path / "rd.dcm"
    make_dose(file, GRID)
    dose = read_dose(file)
    index = np.array([[10.0, 12.0, 5.0], [30.0, 20.0, 9.0]])
    assert dose.lattice.matches(GRID)
    assert dose.data[10, 12, 5] == pytest.approx(truth(GRID.to_world(index))[0], abs=0.01)
    view = view_dose(dose, Transform(), GRID)
    assert view.lattice.spacing.max() <= GRID.spacing.min() + 1e-6
    with pytest.raises(DsirError, match="is not a DICOM file"):
        read_dose(make_text(tmp_path / "no.dcm"))


def truth(points: np.ndarray) -> np.ndarray:
    return 50.0 + points[..., 0] * 0.5 - points[..., 2] * 0.25


def make_text(path: Path) -> Path:
    path.write_text("no dose")
    return path


@pytest.mark.parametrize(("first", "right"), [(0.0, True), (7.0, False)])
def test_a_dose_that_begins_at_two_places_is_refused(first: float, right: bool, tmp_path: Path) -> None:
    grid = Lattice((8, 8, 5), np.diag([-2.0, -2.0, 3.0, 1.0]))
    make_dose(tmp_path / "dose.dcm", grid)
    dataset = pydicom.dcmread(tmp_path / "dose.dcm")
    dataset.ImagePositionPatient = [0, 0, -40]
    for begins in (first, first - 40):  # relative, and absolute
        dataset.GridFrameOffsetVector = [begins + 3 * k for k in range(5)]
        dataset.save_as(tmp_path / "dose.dcm")
        if right:
            assert read_dose(tmp_path / "dose.dcm").lattice.origin.tolist() == [0, 0, -40]
        else:
            with pytest.raises(DsirError, match="says twice where its planes begin"):
                read_dose(tmp_path / "dose.dcm")


def make_dose(path: Path, grid: Lattice) -> None:
    """An RTDOSE with a linear dose on ``grid``."""
    make_series(path.parent / "as_ct", grid, values=truth)
    dataset = pydicom.dcmread(path.parent / "as_ct" / "slice_000.dcm")
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    values = np.rint(truth(grid.to_world(index)) / 0.001).astype(np.uint32)
    dataset.Modality, dataset.SOPClassUID = "RTDOSE", "1.2.840.10008.5.1.4.1.1.481.2"
    dataset.NumberOfFrames, dataset.DoseGridScaling, dataset.DoseUnits = grid.shape[2], 0.001, "GY"
    dataset.GridFrameOffsetVector = [float(k * grid.spacing[2]) for k in range(grid.shape[2])]
    dataset.BitsAllocated = dataset.BitsStored = 32
    dataset.HighBit = 31
    dataset.PixelData = values.transpose(2, 1, 0).tobytes()
    dataset.save_as(path)

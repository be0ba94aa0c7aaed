"""No attribute is taken for granted: each one removed or emptied, and what comes is a result or one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import dicom_made
import numpy as np
import pydicom
import pytest
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.files.images import read_image
from dsir.geometry.lattice import Lattice
from dsir.rt.dose import read_dose
from dsir.rt.segmentation_in import read_segmentation_object
from dsir.rt.structures_in import read_rtstruct
from dsir.rt.structures_out import write_rtstruct
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

pytestmark = pytest.mark.slow

GRID = Lattice((10, 9, 5), np.diag([-2.0, -2.0, 3.0, 1.0]))

Spoil = Callable[[Dataset], None]


def elements(dataset: Dataset, depth: int = 0) -> Iterator[tuple[int, ...]]:
    """Paths of tags: an element, or one within the first item of a sequence."""
    for element in list(dataset):
        yield (int(element.tag),)
        if element.VR == "SQ" and element.value and depth < 4:
            for path in elements(element.value[0], depth + 1):
                yield (int(element.tag), *path)


def without(dataset: Dataset, path: tuple[int, ...], *, empty: bool) -> None:
    """Take the element away, or its value, in every item."""
    *outer, last = path
    places = [dataset]
    for tag in outer:
        places = [item for place in places if tag in place for item in place[tag].value or ()]
    for place in places:
        if last not in place:
            continue
        if not empty:
            del place[last]
        elif place[last].VR == "SQ":
            place[last].value = Items([])
        else:
            place[last].value = None


def tried(source: Path, to: Path, read: Callable[[Path], object]) -> tuple[int, int]:
    """How many spoiled copies gave a result, and how many a sentence; anything else fails."""
    results = sentences = 0
    for path in list(elements(pydicom.dcmread(source))):
        for empty in (False, True):
            dataset = pydicom.dcmread(source)
            without(dataset, path, empty=empty)
            try:
                pydicom.dcmwrite(to, dataset, enforce_file_format=False)
            except Exception:
                continue  # pydicom itself does not write such a thing
            try:
                read(to)
                results += 1
            except DsirError as error:
                assert str(error).strip().endswith(".") and "\n" not in str(error), str(error)
                sentences += 1
    return results, sentences


def test_slices_of_ct(tmp_path: Path) -> None:
    folder = dicom_made.make_series(tmp_path / "ct", GRID)
    source = sorted(folder.iterdir())[2]
    kept = tmp_path / "kept.dcm"
    kept.write_bytes(source.read_bytes())
    results, sentences = tried(kept, source, lambda _: read_image(folder))
    assert results > 30 and sentences > 5


def test_structures_go_onto_a_series_that_lacks_something(tmp_path: Path) -> None:
    folder = dicom_made.make_series(tmp_path / "ct", GRID, frame="1.2")
    rs = tmp_path / "rs.dcm"
    dicom_made.make_rtstruct(rs, GRID, {"a": dicom_made.ball(GRID, GRID.centre, 5)}, frame="1.2")
    source = sorted(folder.iterdir())[0]
    kept = tmp_path / "kept.dcm"
    kept.write_bytes(source.read_bytes())

    def write(_: Path) -> None:
        series = read_series(folder)
        structures = read_rtstruct(rs, series)
        write_rtstruct(tmp_path / "out.dcm", structures.structures, series)

    results, sentences = tried(kept, source, write)
    assert results > 20 and sentences > 5


def test_structure_sets(tmp_path: Path) -> None:
    series = read_series(dicom_made.make_series(tmp_path / "ct", GRID, frame="1.2"))
    rs = tmp_path / "rs.dcm"
    dicom_made.make_rtstruct(rs, GRID, {"a": dicom_made.ball(GRID, GRID.centre, 5)}, frame="1.2")
    results, sentences = tried(rs, tmp_path / "spoiled.dcm", lambda path: read_rtstruct(path, series))
    assert results > 20 and sentences > 5


def made_dose(path: Path) -> Path:
    """An RTDOSE of three planes."""
    dataset = dicom_made._blank("1.2.840.10008.5.1.4.1.1.481.2")
    dataset.Modality, dataset.DoseUnits, dataset.DoseType, dataset.DoseSummationType = (
        "RTDOSE",
        "GY",
        "PHYSICAL",
        "PLAN",
    )
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.1", "1.3", "1.2"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.GridFrameOffsetVector, dataset.DoseGridScaling = [2, 2], [0, 3, 6], 0.01
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 4, 5, 3
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelData = 15, np.arange(60, dtype=np.uint16).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_doses(tmp_path: Path) -> None:
    source = made_dose(tmp_path / "dose.dcm")
    assert read_dose(source).data[1, 2, 1] == pytest.approx(0.01 * (20 + 2 * 5 + 1))
    results, sentences = tried(source, tmp_path / "spoiled.dcm", read_dose)
    assert results > 10 and sentences > 5


@pytest.mark.parametrize(("attribute", "value", "said"), [
    ("DoseGridScaling", 0, "Dose Grid Scaling is 0"), ("DoseType", "ERROR", "the error of a dose"),
])  # fmt: skip
def test_what_is_no_dose_is_refused(attribute: str, value: object, said: str, tmp_path: Path) -> None:
    path = made_dose(tmp_path / "dose.dcm")
    dataset = pydicom.dcmread(path)
    setattr(dataset, attribute, value)
    dataset.save_as(path)
    with pytest.raises(DsirError, match=said):
        read_dose(path)


def made_segmentation(path: Path, kind: str = "BINARY") -> Path:
    """Two segments; of the second the frame in the middle is left out."""
    dataset = dicom_made._blank("1.2.840.10008.5.1.4.1.1.66.4")
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Modality, dataset.SegmentationType = "SEG", kind
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.1", generate_uid(), "1.2"
    dataset.Rows, dataset.Columns = 4, 6
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    if kind == "FRACTIONAL":
        dataset.MaximumFractionalValue = 200
    segments = []
    for number, name in ((1, "liver"), (2, "spleen")):
        item = Dataset()
        item.SegmentNumber, item.SegmentLabel, item.SegmentAlgorithmType = number, name, "MANUAL"
        item.RecommendedDisplayCIELabValue = [43802, 53762, 50162]
        segments.append(item)
    dataset.SegmentSequence = Items(segments)
    shared, measures, turn = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, turn.ImageOrientationPatient = [2, 2], 3, [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([turn])
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    frames, pixels = [], []
    planes = [(1, 0.0), (1, 3.0), (2, 0.0), (2, 6.0)] if kind != "LABELMAP" else [(0, 0.0), (0, 3.0), (0, 6.0)]
    for segment, z in planes:
        frame, place, owner = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient, owner.ReferencedSegmentNumber = [0, 0, z], segment
        frame.PlanePositionSequence = Items([place])
        if segment:
            frame.SegmentIdentificationSequence = Items([owner])
        frames.append(frame)
        plane = np.zeros((4, 6), np.uint8)
        if kind == "LABELMAP":
            plane[1, 1:4], plane[2, 2] = 1 if z < 6 else 0, 2 if z != 3 else 0
        else:
            full = 200 if kind == "FRACTIONAL" else 1
            plane[1 if segment == 1 else 2, slice(1, 4) if segment == 1 else slice(2, 3)] = full
        pixels.append(plane)
    dataset.PerFrameFunctionalGroupsSequence, dataset.NumberOfFrames = Items(frames), len(frames)
    dataset.PixelData = np.stack(pixels).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_segments_lie_where_their_frames_lie(tmp_path: Path, kind: str) -> None:
    found = read_segmentation_object(made_segmentation(tmp_path / "seg.dcm", kind))
    liver, spleen = found.segments
    assert (liver.name, spleen.name) == ("liver", "spleen") and found.lattice.shape == (6, 4, 3)
    assert liver.mask.nonzero().tolist() == [[i, 1, k] for i in (1, 2, 3) for k in (0, 1)]
    assert spleen.mask.nonzero().tolist() == [[2, 2, 0], [2, 2, 2]]
    assert np.allclose(found.lattice.to_world(np.array([[1, 1, 1]])), [[-2, -2, 3]])


def test_segmentations(tmp_path: Path) -> None:
    source = made_segmentation(tmp_path / "seg.dcm")
    results, sentences = tried(source, tmp_path / "spoiled.dcm", read_segmentation_object)
    assert results > 10 and sentences > 10

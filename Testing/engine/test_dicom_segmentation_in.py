"""DICOM segmentation objects that say little, or two things at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dsir.errors import DsirError
from dsir.rt.segmentation_in import Segmentation, read_segmentation_object
from dsir.structures.segmentations import read_dicom_segmentation
from dsir.transforms.composite import Transform
from dsir.warp.pullback import pull_back
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from test_dicom_missing_tags import made_segmentation


@pytest.fixture
def spoiled(tmp_path: Path) -> Callable[..., Segmentation]:
    """Reads the segmentation of liver (z 0 and 3) and spleen (z 0 and 6), 3 mm thick, after a change."""

    def read(change: Callable[[Dataset], None], kind: str = "BINARY") -> Segmentation:
        path = made_segmentation(tmp_path / "seg.dcm", kind)
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)
        return read_segmentation_object(path)

    return read


def frame(dataset: Dataset, number: int) -> Dataset:
    return dataset.PerFrameFunctionalGroupsSequence[number]


def place(dataset: Dataset, number: int, position: list[float]) -> None:
    frame(dataset, number).PlanePositionSequence[0].ImagePositionPatient = position


def measures(dataset: Dataset) -> Dataset:
    return dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_a_segment_that_is_described_nowhere_is_kept_under_its_number(spoiled, kind: str) -> None:
    found = spoiled(lambda d: d.SegmentSequence.pop(), kind)
    assert [(s.number, s.name, int(s.mask.sum())) for s in found.segments] == [(1, "liver", 6), (2, "segment 2", 2)]
    assert found.remarks == ("Segment 2 is described nowhere; it was read under its number.",)


def test_a_described_background_is_no_segment(spoiled) -> None:
    def background(dataset: Dataset) -> None:
        item = Dataset()
        item.SegmentNumber, item.SegmentLabel = 0, "Background"
        dataset.SegmentSequence.append(item)

    assert [s.number for s in spoiled(background, "LABELMAP").segments] == [1, 2]


def turn(dataset: Dataset) -> None:
    item = Dataset()
    item.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    frame(dataset, 3).PlaneOrientationSequence = Items([item])


def enlarge(dataset: Dataset) -> None:
    item = Dataset()
    item.PixelSpacing, item.SliceThickness = [4, 4], 3
    frame(dataset, 3).PixelMeasuresSequence = Items([item])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (turn, "its frame 4 has another orientation"),
        (enlarge, "its frame 4 has another pixel size"),
        (lambda d: place(d, 2, [4, 0, 0]), "its frame 3 lies beside its others"),
        (lambda d: setattr(d.SegmentSequence[1], "SegmentNumber", 1), "two of its segments have the number 1"),
        (lambda d: [place(d, n, [0, 0, z]) for n, z in enumerate((0, 10, 0, 20))], "10 mm apart and are 3 mm thick"),
    ],
)
def test_what_fits_no_one_grid_is_refused(spoiled, change: Callable[[Dataset], None], said: str) -> None:
    with pytest.raises(DsirError, match=said):
        spoiled(change)


@pytest.mark.parametrize("between", [3.0, None])
def test_slices_that_no_segment_meets_stay_empty(spoiled, between: float | None) -> None:
    def apart(dataset: Dataset) -> None:
        for n, z in enumerate((0.0, 24.0, 0.0, 33.0)):
            place(dataset, n, [0, 0, z])
        if between:
            measures(dataset).SpacingBetweenSlices = between

    found = spoiled(apart)
    assert found.lattice.spacing[2] == 3 and found.lattice.shape[2] == 12
    assert sorted({k for *_, k in found.segments[0].mask.nonzero().tolist()}) == [0, 8]


def test_slices_with_gaps_between_them_are_as_far_apart_as_they_lie(spoiled) -> None:
    found = spoiled(lambda d: setattr(measures(d), "SliceThickness", 2))
    assert found.lattice.spacing.tolist() == [2, 2, 3] and found.lattice.shape[2] == 3


def test_a_rounded_spacing_does_not_add_up(spoiled) -> None:
    def fine(dataset: Dataset) -> None:
        measures(dataset).SpacingBetweenSlices = 0.94
        for n, z in enumerate((0.0, 0.9375, 0.0, 0.9375 * 180)):
            place(dataset, n, [0, 0, round(z, 4)])

    found = spoiled(fine)
    assert found.lattice.shape[2] == 181 and np.isclose(found.lattice.spacing[2], 0.9375, atol=1e-3)


def test_the_last_frame_of_a_segment_is_not_the_end_of_the_scan(tmp_path: Path) -> None:
    found = read_dicom_segmentation(made_segmentation(tmp_path / "seg.dcm", "BINARY"))
    shape, one = np.array(found.scan.shape), np.array([0, 0, 1])
    fixed, frames = found.scan.window(np.full(3, -9), shape + 18), found.scan.window(one, shape - 2 * one)
    for scan, cut in ((found.scan, False), (frames, True)):
        assert all(shape.cut == cut for shape in pull_back(found.structures, Transform(()), scan, fixed))

"""DICOM objects of many frames: each lies where it says, and what tells volumes apart is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_made import change, enhanced
from dsir.dicom.discover import discover
from dsir.dicom.picks import picking
from dsir.errors import DsirError
from dsir.files.images import read_image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items


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

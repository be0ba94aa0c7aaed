"""Structures leave as a DICOM segmentation of the fixed series and come back as they were."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dicom_made
import numpy as np
import pydicom
import pytest
import torch
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice
from dsir.rt.label_maps import read_labels
from dsir.rt.segmentation_in import read_segmentation_object
from dsir.rt.segmentation_out import write_segmentation_object
from dsir.shapes.structure import Role
from dsir.structures.segmentations import from_mask

pytest.importorskip("highdicom")
GRID = Lattice((14, 12, 9), np.diag([2.0, 2.5, 3.0, 1.0]) @ np.diag([-1.0, -1.0, 1.0, 1.0]))


def masks() -> list[torch.Tensor]:
    one, other = torch.zeros(GRID.shape, dtype=torch.bool), torch.zeros(GRID.shape, dtype=torch.bool)
    one[3:8, 2:7, 2:5], other[6:11, 5:9, 4:8] = True, True
    return [one, other]


def written(tmp_path: Path, pseudonym: str | None = None) -> Path:
    series = read_series(dicom_made.make_series(tmp_path / "ct", GRID))
    liver = Role(codes=(("10200004", "SCT", "Liver"),))
    shapes = [
        from_mask(mask, GRID, name=name, number=n, role=role)
        for n, (mask, name, role) in enumerate(zip(masks(), ("Läber", "node"), (liver, Role()), strict=True), start=1)
    ]
    write_segmentation_object(tmp_path / "o.seg.dcm", shapes, masks(), series, label="DSIR", pseudonym=pseudonym)
    return tmp_path / "o.seg.dcm"


def test_segments_come_back_with_names_and_codes_where_they_were(tmp_path: Path) -> None:
    found = read_segmentation_object(written(tmp_path))
    assert [s.name for s in found.segments] == ["Läber", "node"]
    assert found.segments[0].role.codes == (("10200004", "SCT", "Liver"),)
    for segment, mask in zip(found.segments, masks(), strict=True):
        there = np.sort(found.lattice.to_world(segment.mask.nonzero().numpy()).round(3), axis=0)
        assert np.allclose(there, np.sort(GRID.to_world(mask.nonzero().numpy()).round(3), axis=0))


def test_a_pseudonym_stands_for_the_patient(tmp_path: Path) -> None:
    path = written(tmp_path, pseudonym="Case 7")
    dataset = pydicom.dcmread(path)
    assert dataset.PatientID == dataset.PatientName == "Case 7" and dataset.PatientSex == ""
    assert b"Secret" not in path.read_bytes() and b"4711-Q" not in path.read_bytes()


@pytest.mark.parametrize("pseudonym", ["", " ", "a\\b", "a=b", "x" * 65, "a\nb"])
def test_what_cannot_stand_for_a_patient_is_refused(pseudonym: str, tmp_path: Path) -> None:
    with pytest.raises(DsirError, match="cannot stand for a patient in DICOM"):
        written(tmp_path, pseudonym=pseudonym)
    assert not (tmp_path / "o.seg.dcm").exists()


def test_overlapping_segments_are_no_label_map(tmp_path: Path) -> None:
    with pytest.raises(DsirError, match="segments that overlap"):
        read_labels(written(tmp_path))


def test_it_refers_to_the_series_and_is_valid(tmp_path: Path) -> None:
    path = written(tmp_path)
    dataset, series = pydicom.dcmread(path), read_series(tmp_path / "ct")
    assert dataset.FrameOfReferenceUID == series.frame_of_reference
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == series.header.SeriesInstanceUID
    if shutil.which("dciodvfy"):
        said = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, check=False)
        errors = [
            line for line in (said.stdout + said.stderr).decode("latin-1").splitlines() if line.startswith("Error")
        ]
        assert not errors, errors


def test_a_series_without_a_study_cannot_be_referred_to(tmp_path: Path) -> None:
    folder = dicom_made.make_series(tmp_path / "ct", GRID)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.StudyInstanceUID
        dataset.save_as(path)
    shape = from_mask(masks()[0], GRID, name="a", number=1)
    with pytest.raises(DsirError, match="StudyInstanceUID"):
        write_segmentation_object(tmp_path / "o.seg.dcm", [shape], masks()[:1], read_series(folder), label="x")
    assert not (tmp_path / "o.seg.dcm").exists()

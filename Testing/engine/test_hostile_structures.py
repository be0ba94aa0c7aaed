"""Structures that own the same voxels, numbers or names: refused, or named as left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_made import ball, make_rtstruct, make_series
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice
from dsir.rt.structures_in import read_rtstruct
from dsir.shapes.structure import short_names
from dsir.structures.segmentations import read_segmentation

VALUES = np.random.default_rng(0).normal(size=(12, 11, 10)).astype(np.float32)


def test_two_segments_cannot_own_the_same_voxels(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray((VALUES.T > 0).astype(np.uint8))
    for number, name in enumerate(("liver", "spleen")):
        said = {"ID": f"Segment_{number}", "Name": name, "Layer": "0", "LabelValue": "1"}
        for key, value in said.items():
            image.SetMetaData(f"Segment{number}_{key}", value)
    sitk.WriteImage(image, str(tmp_path / "two.seg.nrrd"))
    with pytest.raises(DsirError, match="liver and spleen both have the value 1 of layer 0"):
        read_segmentation(tmp_path / "two.seg.nrrd")


def test_of_two_structures_with_one_number_nobody_knows_whose_contours_are_whose(tmp_path: Path) -> None:
    grid = Lattice((30, 30, 12), np.diag([-2.0, -2.0, 3.0, 1.0]))
    series = read_series(make_series(tmp_path / "ct", grid))
    outlines = ball(grid, grid.centre, 10.0)
    rois = {"a": ball(grid, grid.centre, 14.0), "b": outlines, "c": outlines}
    drawn = make_rtstruct(tmp_path / "rs.dcm", grid, rois, frame=series.frame_of_reference)
    drawn.StructureSetROISequence[1].ROINumber = drawn.ROIContourSequence[1].ReferencedROINumber = 1
    drawn.save_as(tmp_path / "rs.dcm")
    found = read_rtstruct(tmp_path / "rs.dcm", series)
    assert [structure.name for structure in found.structures] == ["c"]  # b would have been a hole of a
    said = " ".join(found.remarks)
    assert "a is left out: several structures have its number 1" in said and "b is left out: its number 1" in said


def test_names_cut_to_what_dicom_holds_stay_apart() -> None:
    names, said = short_names(["x" * 9 + "1", "x" * 9 + "2", "y"], 8)
    assert names == ["x" * 8, "xxxx (2)", "y"] and len(said) == 2 and "longer than DICOM allows" in said[0]

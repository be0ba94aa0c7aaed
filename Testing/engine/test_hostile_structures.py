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


def test_of_two_structures_with_one_number_the_later_is_named_as_left_out(tmp_path: Path) -> None:
    grid = Lattice((30, 30, 12), np.diag([-2.0, -2.0, 3.0, 1.0]))
    series = read_series(make_series(tmp_path / "ct", grid))
    outlines = ball(grid, grid.centre, 10.0)
    drawn = make_rtstruct(tmp_path / "rs.dcm", grid, {"a": outlines, "b": outlines}, frame=series.frame_of_reference)
    drawn.StructureSetROISequence[1].ROINumber = 1
    drawn.save_as(tmp_path / "rs.dcm")
    found = read_rtstruct(tmp_path / "rs.dcm", series)
    assert [structure.name for structure in found.structures] == ["a"]
    assert "b is left out: its number 1 is another structure's." in found.remarks


def test_names_cut_to_what_dicom_holds_stay_apart() -> None:
    names, said = short_names(["x" * 9 + "1", "x" * 9 + "2", "y"], 8)
    assert names == ["x" * 8, "xxxx (2)", "y"] and len(said) == 2 and "longer than DICOM allows" in said[0]

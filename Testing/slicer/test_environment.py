"""What these tests stand on."""

import pytest


def test_real_mrml_is_there() -> None:
    slicer = pytest.importorskip(
        "slicer", reason="slicer-core (real MRML without the application) is missing: the Slicer side was not tested"
    )
    assert slicer.vtkMRMLScene().AddNewNodeByClass("vtkMRMLScalarVolumeNode") is not None

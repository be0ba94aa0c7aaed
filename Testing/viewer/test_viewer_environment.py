"""What the viewer's tests stand on."""

import pytest


def test_real_slice_views_are_there() -> None:
    pytest.importorskip("trame_slicer", reason="trame-slicer is missing: the browser viewer was not tested")

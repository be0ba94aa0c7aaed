"""The viewer's tests: real MRML and real slice views, and a real browser where there is one."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "slicer"), str(HERE.parents[1] / "DSIRRegistration")]

if find_spec("trame_slicer") is None:
    collect_ignore = [str(file) for file in HERE.glob("test_*.py") if file.name != "test_viewer_environment.py"]


@pytest.fixture(scope="module")
def app():
    """A Slicer application whose views draw without a window."""
    from trame_slicer.core import SlicerApp
    from trame_slicer.views import DirectViewFactory

    made = SlicerApp()
    made.view_manager.register_factory(DirectViewFactory(do_render_offscreen=True))
    return made

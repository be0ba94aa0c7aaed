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
    """A Slicer application whose views draw without a window, and only when a picture is taken."""
    from trame_slicer.core import SlicerApp
    from trame_slicer.views import DirectViewFactory, SliceView
    from trame_slicer.views.render_scheduler import NoScheduleRendering

    class StillViews(DirectViewFactory):
        """Drawing at each of the five hundred changes of a new session takes seven seconds."""

        def _create_slice_view(self, app_logic, scene, view):
            made = SliceView(scene, app_logic, view.singleton_tag, scheduled_render_strategy=NoScheduleRendering())
            return self._update_view_properties(made, view)

    made = SlicerApp()
    made.view_manager.register_factory(StillViews(do_render_offscreen=True))
    return made

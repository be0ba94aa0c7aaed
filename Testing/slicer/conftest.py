"""Fixtures of the Slicer side; without slicer-core its tests are left out, and one of them says so."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "DSIRRegistration")]

if find_spec("slicer") is None:
    kept = ("test_environment.py", "test_extension_index.py", "test_packaging.py")
    collect_ignore = [str(file) for file in HERE.glob("test_*.py") if file.name not in kept]
else:
    from mrml_scene import application, engine, pair, scene  # noqa: F401

    if find_spec("PySide6") is not None:
        from shown_panel import chosen, panel, widget  # noqa: F401

        if find_spec("trame_slicer") is not None:
            from slice_views import slice_views  # noqa: F401
        else:
            collect_ignore = [str(HERE / "test_two_rows.py")]

from DSIRRegistrationLib.keep_none_alive import keep_none_alive  # noqa: E402

keep_none_alive()

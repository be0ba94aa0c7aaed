"""Fixtures of the Slicer side; without slicer-core its tests are left out, and one of them says so."""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "DSIRRegistration")]

if find_spec("slicer") is None:
    kept = ("test_environment.py", "test_packaging.py")
    collect_ignore = [str(file) for file in HERE.glob("test_*.py") if file.name not in kept]
else:
    from mrml_scene import engine, pair, scene  # noqa: F401

# Some compiled wrapper under MRML gives back a reference to None that it never took. Python 3.12 has an immortal None;
# before it, after enough calls, the interpreter aborts ("deallocating None"): this test run gets a stock of them.
ctypes.c_ssize_t.from_address(id(None)).value += 1 << 28

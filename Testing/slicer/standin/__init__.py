"""A small, strict stand-in for what Slicer's Qt side gives a scripted module: PythonQt, ctk, qMRML, the application.

Only what the panel uses is here. An unknown widget class, property or signal is an error, where the real application
may be silent about a misspelt one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def install(module_file: Path) -> None:
    """Make ``import qt``, ``import ctk`` and the application's parts of ``slicer`` work.

    Where ``DSIR_SLICER_PYTHON`` names Slicer's folder ``Base/Python``, its own ``ScriptedLoadableModule`` and
    ``parameterNodeWrapper`` are used in the place of ours.
    """
    from . import application, ctk, qt

    sys.modules["qt"], sys.modules["ctk"] = qt, ctk
    application.install(module_file, os.environ.get("DSIR_SLICER_PYTHON"))

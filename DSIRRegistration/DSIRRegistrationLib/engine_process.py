"""The engine as a process: ``python -m dsir`` in a process group of its own, or whatever a test starts instead."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from dsir.cli.watch_parent import FOLDER

MODULE_FOLDER = Path(__file__).resolve().parents[1]
"""The folder that holds the package ``dsir``."""


class Process(Protocol):
    """A running engine."""

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""

    def end(self) -> None:
        """End it and all that it started, now; returns when it is gone. Harmless when it has ended."""


class Launcher(Protocol):
    """Whatever can start an engine; tests bring their own."""

    def __call__(self, arguments: Sequence[str], *, output: Path, log: Path) -> Process:
        """Start ``dsir ARGUMENTS``; its standard output goes to the file ``output``, its errors to ``log``."""


class PythonProcess:
    """``python -m dsir ...`` as a child in a process group of its own; it ends, and its folder goes, when we end."""

    def __init__(self, arguments: Sequence[str], *, output: Path, log: Path) -> None:
        folder = output.parent
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(MODULE_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            "TMPDIR": str(folder),
            "TEMP": str(folder),
            "MPLBACKEND": "Agg",
            FOLDER: str(folder),
        }
        options: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        with output.open("wb") as out, log.open("wb") as err:
            self._child = subprocess.Popen(
                [python(), "-m", "dsir", *arguments],
                stdin=subprocess.PIPE,  # never written: its end is ours, see dsir.cli.watch_parent
                stdout=out,
                stderr=err,
                cwd=folder,
                env=environment,
                **options,
            )

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._child.poll()

    def end(self) -> None:
        """Kill the group: everything the engine writes lies in the run's folder, which goes next."""
        if self._child.poll() is None:
            self._kill()
        self._child.stdin.close()

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            try:
                os.killpg(self._child.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
        else:
            self._child.kill()
        self._child.wait()


def python() -> str:
    """Slicer's own Python for processes, where we are in Slicer; the running one elsewhere."""
    return shutil.which("PythonSlicer") or sys.executable

"""End with the program that started us: a crashed Slicer leaves no engine behind, and no scans on the disk.

The starter holds the other end of our standard input and never writes. However it ends, the operating system closes
that end (Linux, macOS and Windows alike), and our reading returns.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading

FOLDER = "DSIR_ENDS_WITH_PARENT"
"""Environment variable: the starter's private folder, which goes with it. Unset, nobody is watched."""

STOPPED = 130


def end_with_parent() -> None:
    """Watch from a thread, from before the first heavy import on, where the starter asks for it."""
    folder = os.environ.pop(FOLDER, None)
    if folder:
        threading.Thread(target=_watch, args=(folder,), name="dsir-parent", daemon=True).start()


def _watch(folder: str) -> None:
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        pass
    os.chdir(os.path.dirname(sys.executable))  # Windows does not remove a folder that somebody stands in
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(STOPPED)

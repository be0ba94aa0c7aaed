"""A result in the browser viewer, which is a program of its own; in a notebook its picture instead."""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TextIO

from ..errors import DsirError
from ..files.images import write_image
from ..files.transforms import write_transform
from .registration import Registration


class Shown:
    """A viewer that runs until it is closed, or this program ends.

    Attributes:
        address: of the page, for this machine alone.
    """

    def __init__(self, address: str, child: subprocess.Popen[str], folder: tempfile.TemporaryDirectory[str]) -> None:
        self.address, self._child, self._folder = address, child, folder
        atexit.register(self.close)

    def close(self) -> None:
        """End the viewer; harmless when it has ended."""
        if self._child.poll() is None:
            self._child.terminate()
        self._child.wait()
        self._folder.cleanup()
        atexit.unregister(self.close)

    def __repr__(self) -> str:
        """One line."""
        return f"<The viewer is at {self.address}>"


def show(
    result: Registration, *, out: str | Path = "dsir-view", descriptor: str = "dsir", browser: bool = True
) -> Shown | None:
    """Open a result in the browser: compare, ask for points, steer, save. In a notebook the picture is shown instead.

    Args:
        out: the folder that the page's *Save* writes to.
        descriptor: what points are compared by: ``"dsir"``, ``"mind"``, or a file of weights.
        browser: open the page; else only its address is given.

    Returns:
        the running viewer; None in a notebook.

    Raises:
        DsirError: the viewer is not installed, or could not be started.
    """
    if _in_notebook():
        from IPython.display import display

        display(result)
        return None
    folder = tempfile.TemporaryDirectory(prefix="dsir-show-", ignore_cleanup_errors=True)
    files = [Path(folder.name) / name for name in ("fixed.nii", "moving.nii", "transform.h5")]
    write_image(files[0], result.fixed)
    write_image(files[1], result.moving)
    write_transform(files[2], result.transform)
    words = [str(files[0]), str(files[1]), "--transform", str(files[2]), "--out", str(Path(out).resolve())]
    words += ["--descriptor", descriptor, *([] if browser else ["--no-browser"])]
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    child = subprocess.Popen(
        [sys.executable, "-m", "dsir", "view", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    said: list[str] = []
    for line in child.stdout or ():
        said.append(line.strip())
        if found := re.search(r"http://\S+", line):
            threading.Thread(target=_drain, args=(child.stdout,), daemon=True).start()
            return Shown(found.group(0), child, folder)
    child.wait()
    folder.cleanup()
    why = next((line.removeprefix("dsir: ") for line in said if line.startswith("dsir: ")), "")
    raise DsirError(why or "The viewer could not be shown.")


def _drain(said: TextIO) -> None:
    """Read on what nobody asks for: a pipe that is full would hold the viewer up."""
    for _ in said:
        pass


def _in_notebook() -> bool:
    """Whether a kernel runs this, which shows pictures."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")

"""One run of the engine: the ``dsir`` command, its progress, its outcome, and its end.

Progress goes through a file, not a pipe or a thread: Slicer's main thread holds Python's lock while it waits for the
user, so that a reading thread would starve, and a pipe that nobody reads stops the engine. Nothing here blocks.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from dsir.errors import Cancelled, DsirError
from dsir.progress import Progress, silent

from .engine_process import Launcher, PythonProcess

TAIL = 15
"""Lines of the engine's log that go with an error."""

YOUR_TURN, STOPPED = 2, 130
"""The command's exit codes for something the user can mend, and for a polite stop."""


class EngineError(DsirError):
    """The engine ended without a result.

    Attributes:
        log: the last lines it wrote, for the details of a message box.
    """

    def __init__(self, sentence: str, log: str = "") -> None:
        super().__init__(sentence)
        self.log = log


def run(
    arguments: Sequence[str],
    folder: Path,
    *,
    launch: Launcher = PythonProcess,
    progress: Progress = silent,
    inputs: dict[str, str] | None = None,
) -> Generator[None, None, dict[str, Any]]:
    """Run one command of ``dsir``; yields while it works, returns its last words.

    Closing the generator ends the process.

    Args:
        folder: private to the run.
        progress: told of each step; what it raises ends the process.
        inputs: paths in the engine's sentences to what the user calls them.

    Raises:
        DsirError: what the engine says the user can mend.
        EngineError: it died, was killed, or left no result.
        Cancelled: it was stopped from outside.
    """
    output, log = folder / "progress.jsonl", folder / "log.txt"
    process = launch([*arguments, "--json-progress"], output=output, log=log)
    reader = _Lines(output)
    last: dict[str, Any] | None = None
    error: dict[str, Any] = {}
    try:
        while True:
            code = process.poll()  # asked before the reading, so that the last lines are not missed
            for line in reader.new():
                if "fraction" in line:
                    progress(str(line["stage"]), float(line["fraction"]), str(line["message"]))
                elif "result" in line:
                    last = line
                elif "error" in line:
                    error = dict(line["error"])
            if code is not None:
                break
            yield
    finally:
        process.end()
    if code or last is None:
        raise _failure(code, error, log, reader.rubbish, inputs or {})
    return last


class _Lines:
    """The JSON lines that have been added to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path, self._read, self.rubbish = path, 0, 0

    def new(self) -> Iterator[dict[str, Any]]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                value = dict(json.loads(line))
                if "fraction" in value:
                    value["fraction"] = float(value["fraction"])
                    value["stage"], value["message"] = str(value["stage"]), str(value["message"])
            except (ValueError, KeyError, TypeError):
                self.rubbish += 1
                continue
            yield value


def _failure(code: int, error: dict[str, Any], log: Path, rubbish: int, inputs: dict[str, str]) -> DsirError:
    """What happened, in one sentence."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    tail = "\n".join(lines[-TAIL:])
    said = str(error.get("text", ""))
    for path, name in inputs.items():
        said = said.replace(path, name)
    if code == STOPPED:
        return Cancelled("The registration was stopped from outside; nothing was changed.")
    if code == YOUR_TURN and said:
        return DsirError(said)
    if code in (-signal.SIGTERM, -2):
        return Cancelled("The registration was stopped from outside; nothing was changed.")
    if code in (-9, 137):
        return EngineError(
            "The registration was killed by the operating system, most likely because memory ran out; choose the "
            "preset 'fast', close other programs, or resample the scans to larger voxels.",
            tail,
        )
    if code:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return EngineError(said or f"The registration ended unexpectedly ({how}); nothing was changed.", tail)
    what = "wrote what cannot be read" if rubbish else "ended without a result"
    return EngineError(f"The registration {what}; nothing was changed.", tail)

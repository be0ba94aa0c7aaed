"""What a person, or the program that started us, sees while a command runs."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager, suppress
from typing import Any

from ..errors import Cancelled
from .command import Outcome


class Screen(AbstractContextManager):
    """Silent while the work goes on; the outcome is told at the end."""

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """A step of the work, as :data:`dsir.progress.Progress`."""

    def outcome(self, outcome: Outcome) -> None:
        """Print what the run ended with."""
        for line in outcome.lines:
            _print(line)

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""


class Quiet(Screen):
    """Prints the answer only."""

    def outcome(self, outcome: Outcome) -> None:
        """The answer where there is one; else nothing, the files speak."""
        if outcome.answer:
            super().outcome(outcome)


class JsonLines(Screen):
    """One JSON object a line on standard output, for a program that watches (the Slicer module's worker)."""

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """``{"stage": ..., "fraction": ..., "message": ...}``"""
        _print(json.dumps({"stage": stage, "fraction": round(float(fraction), 4), "message": message}))

    def outcome(self, outcome: Outcome) -> None:
        """``{"result": path, ...}``"""
        _print(json.dumps({"result": str(outcome.path) if outcome.path else None, **outcome.values}))


def failed(code: str, sentence: str) -> None:
    """The last line of ``--json-progress`` for a run without a result: ``{"error": {"code": ..., "text": ...}}``."""
    with suppress(OSError):  # nobody reads any more
        print(json.dumps({"error": {"code": code, "text": " ".join(sentence.split())}}), flush=True)


class Lines(Screen):
    """A line for each new stage, for logs and pipes."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Prints when the stage changes."""
        if stage != self._stage:
            self._stage = stage
            print(f"{100 * fraction:3.0f} %  {stage}: {message}", file=sys.stderr, flush=True)


class Bar(Screen):
    """A progress bar on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.fields[stage]:<10}", style="bold"),
            BarColumn(bar_width=32),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", style="dim"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0, stage="starting")

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Moves the bar."""
        self._bar.update(self._task, completed=fraction, stage=stage, description=message)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def screen(*, quiet: bool, json_progress: bool) -> Screen:
    """The screen for these options and this output stream."""
    if json_progress:
        return JsonLines()
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else Lines()


def _print(*words: Any) -> None:
    try:
        print(*words, flush=True)
    except BrokenPipeError:
        raise Cancelled("Nobody reads the output any more; the run was stopped.") from None

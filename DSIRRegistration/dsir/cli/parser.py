"""The argument parser: complaints of one sentence, numbers as people write them, help with room."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

from ..errors import DsirError

NEGATIVE = re.compile(r"-(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")
"""A negative number as people and programs write it."""


def _path(text: str) -> Path:
    """A path; an empty word, as a variable that is not set leaves it, would be the folder one stands in. The home
    folder's sign is told here too: no shell does it within ``--out=~/result``."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a file or folder (is a variable not set?)")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"nobody knows whose home folder {text} is") from None


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence, and to whom -1e-5 is a number."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = NEGATIVE  # argparse's own takes -1e-5 and -1. for options
        self.register("type", Path, _path)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise DsirError(f"{message[:1].upper()}{message[1:].rstrip('.')}; see {self.prog} --help.")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help with room for explanations."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)

    def add_argument(self, action: argparse.Action) -> None:
        """Keep the names of the commands in one column: argparse measures them without their indent."""
        super().add_argument(action)
        self._action_max_length = max(self._action_max_length, 16)

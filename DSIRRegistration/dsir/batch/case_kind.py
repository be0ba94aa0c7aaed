"""What a batch works on: pairs of scans, or patients with two studies; it treats them alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..registration.settings import RegistrationSettings
from ..reports.batch.rows import Row, State
from .finished import is_finished
from .job import register_one
from .outcome import row


@dataclass(frozen=True)
class Kind:
    """How one sort of case is done.

    Attributes:
        plural, done: what several are called, and what was done with them.
        job: ``job(case, settings, folder)`` does it, on a worker, and gives the empty string or what went wrong; a
            function of a module, so that it travels.
        finished: ``finished(folder, case, settings)``: whether its result is there already.
        row: ``row(name, state, folder, error)``: its line of the table.
    """

    plural: str
    done: str
    job: Callable[[Any, RegistrationSettings, Path], str]
    finished: Callable[[Path, Any, RegistrationSettings], bool]
    row: Callable[[str, State, Path, str], Row]


PAIRS = Kind("pairs", "registered", register_one, is_finished, row)

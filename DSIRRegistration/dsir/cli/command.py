"""What a command of ``dsir`` is."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..progress import Progress


@dataclass(frozen=True)
class Outcome:
    """What a command leaves behind.

    Attributes:
        path: the file or folder it wrote; None where it only answers on the screen.
        lines: what a person should read at the end, one sentence or table row each.
        values: the same for a program; joins the last line of ``--json-progress``.
        answer: whether the lines are what was asked for, and no remark on the work: said even with ``--quiet``.
        status: the exit code; not 0 where the work is done and its answer is no.
    """

    path: Path | None = None
    lines: tuple[str, ...] = ()
    values: dict[str, object] = field(default_factory=dict)
    answer: bool = False
    status: int = 0


@dataclass(frozen=True)
class Command:
    """One word after ``dsir``.

    Attributes:
        name: the word.
        summary: half a line for ``dsir --help``.
        description: what ``dsir NAME --help`` says first: what goes in, what comes out, in which units.
        usage: what follows the word at the least.
        example: a command line that works.
        arguments: adds the command's own arguments to its parser; imports nothing heavy.
        run: does the work; torch and friends are imported inside it, so that ``--help`` stays quick.
        stopped: what is said after Ctrl-C.
    """

    name: str
    summary: str
    description: str
    usage: str
    example: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Progress], Outcome]
    stopped: str = "Stopped; nothing was written."


def spoken(words: Sequence[str]) -> str:
    """A command line as a report may hold it: files by their names, without the folders they lie in.

    >>> spoken(["register", "--fixed", "/scans/a/ct.nii.gz", "--out=x/y", "--set", "spacing=3"])
    'dsir register --fixed ct.nii.gz --out=y --set spacing=3'
    """
    names = (re.sub(r"^(--[\w-]+=)?.*[/\\](?=[^/\\]+[/\\]?$)", r"\1", word).rstrip("/") for word in words)
    return shlex.join(["dsir", *names])

"""One row a fault: an input that the row makes itself, a command, and what is right."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))  # what the tests make inputs with


@dataclass(frozen=True)
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it said."""
        return self.out + self.err


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        kind: letter of the kind of fault.
        what: the input, in words.
        make: writes it into an empty folder.
        command: words after ``dsir``; ``{}`` stands for that folder.
        right: what is right, in words.
        check: of the folder and the run; what is wrong, or "" where it is right.
        options: further arguments of subprocess.run.
    """

    kind: str
    what: str
    make: Callable[[Path], None]
    command: tuple[str, ...]
    right: str
    check: Callable[[Path, Run], str]
    options: dict[str, object] = field(default_factory=dict)

    def tried(self, folder: Path) -> str:
        """What is wrong; "" where it is right."""
        self.make(folder)
        words = [sys.executable, "-m", "dsir", *(word.replace("{}", str(folder)) for word in self.command)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, **self.options)
        run = Run(done.returncode, done.stdout or "", done.stderr or "")
        if "Something broke inside" in run.said or "Traceback" in run.said:
            return f"broke: {run.said.strip()[-200:]}"
        return self.check(folder, run)


def rows() -> Iterator[Row]:
    """Of every module beside this one that has ``ROWS``."""
    package = importlib.import_module(__package__)
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        if module not in ("table", "__main__"):
            yield from importlib.import_module(f"{__package__}.{module}").ROWS


def refused(words: str) -> Callable[[Path, Run], str]:
    """Right is one sentence that holds ``words``, and exit code 2."""

    def check(folder: Path, run: Run) -> str:
        if run.code != 2:
            return f"exit code {run.code}"
        return "" if words in run.err else f"said {run.err.strip()[-160:]}"

    return check


def main() -> int:
    """Try the rows, print the table."""
    wanted, wrong = set(sys.argv[1:]), 0
    for row in sorted(rows(), key=lambda row: row.kind):
        if wanted and row.kind not in wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="dsir-faults-") as folder:
            problem = row.tried(Path(folder))
        wrong += bool(problem)
        print(f"{row.kind}  {'WRONG' if problem else 'right'}  {row.what}: {problem or row.right}", flush=True)
    return 1 if wrong else 0

"""Hidden folders that hold what is being written; the ones that a killed run left behind are known by their lock."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO

fcntl: ModuleType | None
if os.name == "nt":
    fcntl = None  # an open file cannot be removed there, which is lock enough
else:
    import fcntl

LOCK = ".in-use"
"""A file in the folder that the running process holds locked: the lock ends with the process, however it ends."""


@dataclass(frozen=True, eq=False)
class WorkFolder:
    """Attributes:
    path: the hidden folder, on the disk that the result is for.
    lock: an open file in it.
    """

    path: Path
    lock: IO[bytes]

    def files(self) -> list[Path]:
        """What was written into it, deep down too."""
        return sorted(p for p in self.path.rglob("*") if (not p.is_dir() or p.is_symlink()) and p.name != LOCK)


def make_work_folder(parent: Path, name: str) -> WorkFolder:
    """Make one for the output ``name``; those that killed runs left in ``parent`` for the same output go first.

    Raises:
        OSError: it cannot be made.
    """
    remove_leftovers(parent, name)
    path = Path(tempfile.mkdtemp(prefix=f".{name}.{os.getpid()}-", suffix=".part", dir=parent))
    try:
        lock = open(path / LOCK, "wb")  # noqa: SIM115 - held until the folder goes
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
        raise
    if fcntl is not None:
        with suppress(OSError):  # a disk without locks: the process number has to do
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return WorkFolder(path, lock)


def release(work: WorkFolder) -> None:
    """Remove a work folder and whatever is left in it."""
    work.lock.close()
    shutil.rmtree(work.path, ignore_errors=True)


def remove_leftovers(parent: Path, name: str) -> None:
    """Remove the work folders of runs to the same output that are no longer alive."""
    for folder in leftovers(parent, name):
        if not _alive(folder):
            shutil.rmtree(folder, ignore_errors=True)


def leftovers(parent: Path, name: str) -> list[Path]:
    """Work folders for the output ``name`` in ``parent``, of living runs too."""
    pattern = re.compile(rf"\.{re.escape(name)}\.[\w-]+\.part")
    try:
        return [p for p in parent.iterdir() if pattern.fullmatch(p.name) and p.is_dir() and not p.is_symlink()]
    except OSError:
        return []


def _alive(folder: Path) -> bool:
    """Whether the run that made it still runs: it holds the lock, or where there is none its process lives."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return _process_of(folder)
    try:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fcntl is None and _process_of(folder)
    except BlockingIOError:
        return True
    except OSError:
        return _process_of(folder)
    finally:
        os.close(lock)


def _process_of(folder: Path) -> bool:
    """Whether the process that the folder's name tells is alive on this machine."""
    number = folder.name.split(".")[-2].partition("-")[0]
    if not number.isdigit() or os.name == "nt":
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True

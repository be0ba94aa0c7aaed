"""A result folder, filled in place when all is there: mount points, links and other people's files stay as they are."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from ..errors import DsirError, OutputError
from .atomic import plain_errors, reason, sync
from .inputs import is_input
from .work_folders import LOCK, WorkFolder, leftovers, make_work_folder, release, remove_leftovers

MANIFEST = ".dsir-files"
"""Lists the files a run wrote, so that the next one with ``overwrite`` replaces these and no one else's."""

REPORTS = ("report.json", "plan.json", "compare.json")
"""Go first and come last, those of the whole after those of its parts, so that a report speaks of a whole result."""

UNFINISHED = "unfinished-result"

IGNORED = ("lost+found", ".DS_Store", "desktop.ini")
"""What systems put into a folder by themselves: a fresh volume with one of these is empty."""

WORK = "dsir"


class OutputFolder:
    """A folder whose files appear when all of them are complete.

    Inside the ``with`` block, write to :attr:`path`, a hidden folder within the target. On success its files are moved
    into the target one by one, the report last; the target itself is never renamed. Where that fails the former files
    come back. After Ctrl-C, or an error that the user has to mend, the disk is as it was. After any other error what is
    there already is kept, and ``kept`` of the exception says where.

    Args:
        target: the folder to fill; made where it is missing. An empty one is fine.
        overwrite: replace the result of an earlier run. Files of an earlier run go; any other file found there stays.

    Raises:
        OutputError: the target is a file, or a folder with content and not ``overwrite``; it cannot be written; the
            disk is full.
    """

    def __init__(self, target: str | Path, *, overwrite: bool = False) -> None:
        self.name = Path(target)
        self.target = Path(os.path.realpath(target))
        self.overwrite = overwrite
        self.path = self.target  # the hidden folder while the block runs
        self._made: list[Path] = []
        self._work: WorkFolder

    def __enter__(self) -> OutputFolder:
        check_output_folder(self.name, overwrite=self.overwrite)
        self._made = [p for p in (self.target, *self.target.parents) if not p.exists()]
        try:
            self.target.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.target.parent, self.target.name)  # of versions that wrote beside the target
            self._work = make_work_folder(self.target, WORK)
        except OSError as error:
            self._unmake()
            raise OutputError(f"The folder {self.name} cannot be made: {reason(error)}.") from None
        self.path = self._work.path
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            with plain_errors(self.name):
                if error is None:
                    self._publish()
                elif isinstance(error, OSError):
                    raise error
        except OutputError as failed:
            self._keep(failed)
            raise
        finally:
            if isinstance(error, OutputError):  # of a file where it was to be, not in our hidden folder
                error.args = (str(error).replace(str(self.path), str(self.name)),)
            if error is not None and (isinstance(error, OutputError) or _is_ours(error)):
                self._keep(error)
            release(self._work)
            self._unmake()

    def _publish(self) -> None:
        if not self.overwrite and _holds_files(self.target):
            raise OutputError(f"The folder {self.name} was filled by somebody else in the meantime.")
        files = sorted(self._work.files(), key=lambda file: _importance(file.relative_to(self.path)))
        names = [file.relative_to(self.path) for file in files]
        for name in self._replaced(names):
            if is_input(self.target / name):
                raise OutputError(f"{self.name / name} is an input, so the result cannot take its place.")
        for file in files:
            sync(file)
        (self.path / MANIFEST).write_text("\n".join(map(str, sorted(names))) + "\n", encoding="utf-8")
        names.insert(0, Path(MANIFEST))
        former = self.path / "former"
        moved: list[tuple[Path, Path]] = []
        try:
            for name in self._replaced(names):
                moved.append(_move(self.target / name, former / name))
            for name in names:
                moved.append(_move(self.path / name, self.target / name))
        except BaseException:
            for source, destination in reversed(moved):
                _move(destination, source)
            raise
        sync(self.target)

    def _replaced(self, names: list[Path]) -> list[Path]:
        """What has to leave the target: an earlier result, the report first, and files of the same names."""
        found = {name for name in (*_earlier(self.target), *names) if os.path.lexists(self.target / name)}
        return sorted(found, key=lambda name: (*(-rank for rank in _importance(name)), name))

    def _keep(self, error: BaseException) -> None:
        """Put what was written under a name that the next run leaves alone, and say so in the error."""
        if getattr(error, "kept", None) is not None or not self._work.files():
            return
        place = self.target / f"{UNFINISHED}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._work.lock.close()
        try:
            shutil.move(self.path, place)
        except OSError:
            return
        for spare in (place / LOCK, place / MANIFEST):
            spare.unlink(missing_ok=True)
        shutil.rmtree(place / "former", ignore_errors=True)
        error.kept, error.made = place, self._made  # type: ignore[attr-defined]

    def _unmake(self) -> None:
        _remove_empty(self._made)  # those that we made ourselves


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, the innermost first, up to one that holds anything."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


@contextmanager
def rescue_folder(error: OutputError) -> Iterator[Path]:
    """A folder among the temporary files for a result that could not be written where it should go.

    Raises:
        OutputError: always; it says where the result lies, or is ``error`` where it cannot be written there either.
    """
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="dsir-result-"))
        yield folder
    except (OSError, OutputError):
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise error from None
    except BaseException:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    partial = getattr(error, "kept", None)
    if partial is not None:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_empty(getattr(error, "made", ()))
    moved = OutputError(str(error))
    moved.kept = folder  # type: ignore[attr-defined]
    raise moved from None


def remove_unfinished(target: Path) -> None:
    """Remove what killed runs left of the result folder ``target``; the folder too, where it holds nothing else."""
    remove_leftovers(target.parent, target.name)
    if target.is_dir():
        remove_leftovers(target, WORK)
        with suppress(OSError):
            target.rmdir()


def where_kept(error: BaseException) -> str:
    """A sentence that says where what there is of a result lies after ``error``; empty where nothing is."""
    kept = getattr(error, "kept", None)
    return f"What there is of the result lies in {kept}." if kept else ""


def check_output_folder(target: str | Path, *, overwrite: bool = False) -> None:
    """Say before a long run what would stop its result from being written.

    Raises:
        OutputError: the target is a file, holds files and not ``overwrite``, holds an input as part of an earlier
            result, or it or its parent cannot be written to.
    """
    name, target = Path(target), Path(os.path.realpath(target))
    if target.exists() and not target.is_dir():
        raise OutputError(f"{name} is a file; give the name of a folder for the result.")
    try:
        if target.is_dir() and not overwrite and _holds_files(target):
            raise OutputError(f"The folder {name} holds files already; choose another one or ask to overwrite it.")
        spared = next((file for file in _earlier(target) if is_input(target / file)), None)
        if spared is not None:
            raise OutputError(f"The folder {name} holds the input {spared}; choose another folder for the result.")
        nearest = next(p for p in (target, *target.parents) if p.exists())
        if not nearest.is_dir():
            raise OutputError(f"The folder {name} cannot be made: {nearest} is a file.")
        tempfile.TemporaryFile(dir=nearest).close()  # has no name: a stop at this very moment leaves nothing behind
    except OSError as error:
        raise OutputError(f"The folder {name} cannot be written: {reason(error)}.") from None


def _earlier(target: Path) -> list[Path]:
    """Files of an earlier result in a folder, by its list of them."""
    file = target / MANIFEST
    listed = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [Path(line) for line in listed if line and not Path(line).is_absolute() and ".." not in Path(line).parts]


def _importance(name: Path) -> tuple[int, int]:
    """Rank in the order of appearance: all else, reports of parts, the report of the whole."""
    return int(name.name in REPORTS), -len(name.parts)


def _holds_files(folder: Path) -> bool:
    ours = {p.name for p in leftovers(folder, WORK)}
    return any(p.name not in ours and p.name not in IGNORED for p in folder.iterdir())


def _move(source: Path, destination: Path) -> tuple[Path, Path]:
    destination.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, destination)
    return source, destination


def _is_ours(error: BaseException | None) -> bool:
    """Whether a run broke for no fault of the user's: a fault inside, or too little memory."""
    return isinstance(error, Exception) and not isinstance(error, DsirError | OSError)

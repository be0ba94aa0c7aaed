"""Nothing half-written under a final name: files and folders appear when they are complete."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from ..errors import DsirError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MANIFEST = ".dsir-files"
"""Lists the files a run wrote, so that the next one with ``overwrite`` replaces these and no one else's."""


@contextmanager
def complete_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; what lies there moves to ``path`` at the end, or vanishes on any error.

    The temporary path has the final name inside a hidden folder beside the target: writers that look at the suffix, or
    write a second file beside the first (``.mhd`` and ``.raw``), work unchanged.

    Raises:
        DsirError: the folder is missing, cannot be written to, or the disk is full.
    """
    path = Path(path)
    if path.is_dir():
        raise DsirError(f"{path} is a folder; give the name of a file to write.")
    work = _hidden_folder(path.parent, path.name)
    try:
        with _plain_errors(path):
            yield work / path.name
            for written in sorted(work.iterdir(), key=lambda file: file.name == path.name):  # the named file last
                _sync(written)
                os.replace(written, path.parent / written.name)
            _sync(path.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class OutputFolder:
    """A result folder that appears only when it is complete.

    Inside the ``with`` block, write to :attr:`path` (hidden, beside the target, on the same disk). On success the
    folder is renamed to its final name; on any error, Ctrl-C included, it is deleted and the disk is as it was.

    Args:
        target: the folder to make. An empty existing one is fine.
        overwrite: replace the result of an earlier run. Files of an earlier run go; any other file found there stays.

    Raises:
        DsirError: the target is a file, or a folder with content and not ``overwrite``; it cannot be written; the disk
            is full.
    """

    def __init__(self, target: str | Path, *, overwrite: bool = False) -> None:
        self.target = Path(os.path.abspath(target))
        self.overwrite = overwrite
        self.path = self.target  # the hidden folder while the block runs
        self._made: list[Path] = []

    def __enter__(self) -> OutputFolder:
        check_output_folder(self.target, overwrite=self.overwrite)
        missing = [p for p in (self.target.parent, *self.target.parent.parents) if not p.exists()]
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DsirError(f"The folder {self.target} cannot be made: {_reason(error)}.") from None
        self._made = missing
        self.path = _hidden_folder(self.target.parent, self.target.name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            with _plain_errors(self.target):
                if error is None:
                    self._publish()
                elif isinstance(error, OSError):
                    raise error
        finally:
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.target.exists():
                for folder in self._made:  # parents we made ourselves; none that holds anything
                    try:
                        folder.rmdir()
                    except OSError:
                        break

    def _publish(self) -> None:
        names = sorted(str(p.relative_to(self.path)) for p in self.path.rglob("*") if p.is_file())
        (self.path / MANIFEST).write_text("\n".join(names) + "\n")
        for file in self.path.rglob("*"):
            _sync(file)
        os.chmod(self.path, 0o777 & ~_umask())
        former = None
        if self.target.exists():
            former = _hidden_folder(self.target.parent, f"{self.target.name}-former") / "was"
            os.rename(self.target, former)
        try:
            os.rename(self.path, self.target)
        except BaseException:
            if former is not None:
                os.rename(former, self.target)
            raise
        if former is not None:
            _keep_foreign(former, self.target)
            shutil.rmtree(former.parent, ignore_errors=True)
        _sync(self.target.parent)


def reserve(folder: Path, size: int) -> None:
    """Make sure of ``size`` bytes on the disk, for writers that do not survive a full one (ITK's HDF5 aborts).

    Raises:
        OSError: there is not so much room.
    """
    probe = folder / ".room"
    try:
        with open(probe, "wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, max(size, 1))
            elif shutil.disk_usage(folder).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        probe.unlink(missing_ok=True)


def check_output_folder(target: str | Path, *, overwrite: bool = False) -> None:
    """Say before a long run what would stop its result from being written.

    Raises:
        DsirError: the target is a file, holds files and not ``overwrite``, or it or its parent cannot be written to.
    """
    target = Path(os.path.abspath(target))
    if target.exists() and not target.is_dir():
        raise DsirError(f"{target} is a file; give the name of a folder for the result.")
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise DsirError(f"The folder {target} holds files already; choose another one or ask to overwrite it.")
    nearest = next(p for p in (target.parent, *target.parent.parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise DsirError(f"The folder {target} cannot be made: {nearest} is not writable.")


def _keep_foreign(former: Path, target: Path) -> None:
    """Move what an earlier run did not write from the former folder into the new one."""
    manifest = former / MANIFEST
    ours = set(manifest.read_text().splitlines()) | {MANIFEST} if manifest.is_file() else set()
    for file in [p for p in former.rglob("*") if not p.is_dir() or p.is_symlink()]:
        name = file.relative_to(former)
        if str(name) not in ours and not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.rename(file, target / name)


def _hidden_folder(parent: Path, name: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".part", dir=parent))
    except OSError as error:
        raise DsirError(f"{parent / name} cannot be written: {_reason(error)}.") from None


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DsirError(f"{path} cannot be written: {_reason(error)}.") from error


def _reason(error: OSError) -> str:
    if error.errno in FULL:
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "its folder is not writable"
    if error.errno == errno.ENOENT:
        return "its folder does not exist"
    return (error.strerror or str(error)).rstrip(".")


def _sync(path: Path) -> None:
    """Force to disk, so that a power cut cannot leave an empty file under the final name."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    flags = os.O_RDONLY if os.name != "nt" else os.O_RDWR
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

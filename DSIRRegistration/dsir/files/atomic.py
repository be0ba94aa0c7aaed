"""Nothing half-written under a final name: a file appears when it is complete."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DsirError, OutputError
from .inputs import refuse_input
from .work_folders import make_work_folder, release

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def complete_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; what lies there moves to ``path`` at the end, or vanishes on any error.

    The temporary path has the final name inside a hidden folder beside the target: writers that look at the suffix, or
    write a second file beside the first (``.mhd`` and ``.raw``), work unchanged. A symbolic link stays one: the file
    that it leads to is written.

    Raises:
        DsirError: it is a folder, a device or an input.
        OutputError: the folder is missing, cannot be written to, or the disk is full.
    """
    path = Path(path)
    refuse_special(path)
    refuse_input(path)
    final = Path(os.path.realpath(path))
    with plain_errors(path):
        work = make_work_folder(final.parent, path.name)
    try:
        with plain_errors(path):
            yield work.path / path.name
            for written in sorted(work.files(), key=lambda file: file.name == path.name):  # the named file last
                sync(written)
                os.replace(written, final if written.name == path.name else final.parent / written.name)
            sync(final.parent)
    finally:
        release(work)


def write_text(path: str | Path, text: str) -> None:
    """Write a file of text, whole or not at all; :func:`complete_file` says what is raised."""
    with complete_file(path) as temporary:
        # Names that are typed are UTF-8 (others are refused); those found in a folder or behind a link need not be.
        temporary.write_text(text, encoding="utf-8", errors="replace")


def refuse_special(path: Path) -> None:
    """Refuse to put a file where a folder or a device is (root could replace even /dev/null).

    Raises:
        DsirError: one is there.
    """
    if path.is_dir():
        raise DsirError(f"{path} is a folder; give the name of a file to write.")
    if path.exists() and not path.is_file():
        raise DsirError(f"{path} is not a file but a device or a pipe; give the name of a file to write.")


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


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's complaint about ``path`` into a sentence."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {reason(error)}.") from error


def reason(error: OSError) -> str:
    """Why something cannot be written, in words."""
    if error.errno in FULL:
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "its folder is not writable"
    if error.errno == errno.ENOENT:
        return "its folder does not exist"
    return (error.strerror or str(error)).rstrip(".")


def sync(path: Path) -> None:
    """Force to disk, so that a power cut cannot leave an empty file under the final name."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    flags = os.O_RDONLY if os.name != "nt" else os.O_RDWR
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

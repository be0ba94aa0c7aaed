"""What a header promises is checked before it is believed: no memory for absent voxels, no path to elsewhere.

A header of a few bytes can ask for terabytes, or name a data file anywhere on the disk or the network.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import DsirError

DEFLATED = 1100
"""Times that deflate can shorten data, at most (1032, and room for headers)."""

HEADER = 1 << 20
"""Bytes in which a text header has to end."""


def check_promise(path: Path, promised: int, held: int, *, compressed: bool) -> None:
    """Refuse a file that cannot hold what its header promises.

    Args:
        promised: bytes of voxels by the header.
        held: bytes that are there.

    Raises:
        DsirError: it cannot.
    """
    if promised > held * (DEFLATED if compressed else 1):
        raise DsirError(
            f"{path} is damaged: its header promises {_size(promised)} of voxels, but it holds {_size(held)}."
        )


def data_files(path: Path) -> list[Path]:
    """The files that hold the voxels of an NRRD or MetaImage file: itself, or what its header names beside it.

    Raises:
        DsirError: the header names a file elsewhere.
    """
    with open(path, "rb") as file:
        head = file.read(HEADER)
    if head.startswith(b"NRRD"):
        names = _nrrd_names(head)
    elif re.search(rb"^\s*(NDims|ObjectType|DimSize)\s*=", head[:4096], re.MULTILINE):
        _check_meta(path, head)
        names = _meta_names(head)
    else:
        names = []
    for name in names:
        if _leads_away(name):
            raise DsirError(
                f"{path} names a data file elsewhere ({name}), which is not read; put both into one folder."
            )
    found = [path.parent / name for name in names]
    return [file for file in found if file.is_file()] if names else [path]


def _nrrd_names(head: bytes) -> list[str]:
    text = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0].decode("utf-8", "replace")
    lines = text.splitlines()
    for n, line in enumerate(lines):
        found = re.match(r"data ?file:\s*(.*)", line, re.IGNORECASE)
        if found:
            first = found[1].strip()
            if first.upper().startswith("LIST"):
                return [name.strip() for name in lines[n + 1 :] if name.strip()]
            pattern = re.fullmatch(r"(\S*%\d*d\S*)(\s+-?\d+){3,4}", first)
            return [pattern[1] if pattern else first]
    return []


def _check_meta(path: Path, head: bytes) -> None:
    """Refuse the numbers at which MetaIO ends the whole process.

    Raises:
        DsirError: the header holds such a one.
    """
    numbers = {
        name: re.findall(rb"^\s*" + name + rb"\s*=[ \t]*([^\r\n]*)", head, re.MULTILINE | re.IGNORECASE)
        for name in (b"NDims", b"DimSize", b"ElementNumberOfChannels", b"CompressedDataSize", b"HeaderSize")
    }
    try:
        found = {name: [int(word) for line in lines for word in line.split()] for name, lines in numbers.items()}
    except ValueError:
        raise DsirError(f"{path} is damaged: its header makes no sense.") from None
    dims, sizes, channels = found[b"NDims"], found[b"DimSize"], found[b"ElementNumberOfChannels"] or [1]
    held = path.stat().st_size
    sound = (
        len(dims) == 1
        and 1 <= dims[0] <= 10
        and len(sizes) == dims[0]
        and all(1 <= n < 1 << 31 for n in sizes)
        and all(1 <= n < 1 << 16 for n in channels)
        and all(0 <= n <= held or b"local" not in head.lower() for n in found[b"CompressedDataSize"])
        and all(-1 <= n < 1 << 31 for n in found[b"HeaderSize"])
    )
    if not sound:
        raise DsirError(f"{path} is damaged: its header makes no sense.")


def _meta_names(head: bytes) -> list[str]:
    found = re.search(rb"^\s*ElementDataFile\s*=[ \t]*([^\r\n]*)(.*)", head, re.MULTILINE | re.DOTALL)
    if not found:
        return []
    first = found[1].decode("utf-8", "replace").strip()
    if first.upper() == "LOCAL" or not first:
        return []
    if first.upper().startswith("LIST"):
        return [line.strip() for line in found[2].decode("utf-8", "replace").split("\n") if line.strip()]
    return [first.split()[0]] if "%" in first else [first]


def _leads_away(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return (
        "://" in name
        or posix.is_absolute()
        or windows.is_absolute()
        or bool(windows.drive)
        or name.startswith("~")
        or ".." in (*posix.parts, *windows.parts)
    )


def _size(count: int) -> str:
    for unit, bytes_of in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_of:
            return f"{count / bytes_of:.3g} {unit}"
    return f"{count} bytes"

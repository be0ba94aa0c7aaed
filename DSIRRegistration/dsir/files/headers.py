"""What a header promises is checked before it is believed: no memory for absent voxels, no path to elsewhere.

A header of a few bytes can ask for terabytes, or name a data file anywhere on the disk or the network.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from ..errors import DsirError

DEFLATED = 1100
"""Times that deflate can shorten data, at most (1032, and room for headers)."""

HEADER = 1 << 20
"""Bytes in which a text header has to end."""


def check_there(path: Path) -> None:
    """Refuse what is neither file nor folder.

    Raises:
        DsirError: there is nothing, or a pipe, which would be waited for, for ever.
    """
    if not path.exists():
        raise DsirError(f"{path} does not exist.")
    if not path.is_file() and not path.is_dir():
        raise DsirError(f"{path} is no regular file.")


def check_file(path: Path) -> None:
    """Refuse what is no file.

    Raises:
        DsirError: there is nothing, a folder or a pipe.
    """
    check_there(path)
    if path.is_dir():
        raise DsirError(f"{path} is a folder; a file is needed.")


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


def check_surplus(path: Path, promised: int, held: int) -> None:
    """Refuse a file that holds more voxels than its header says: one of the two is wrong, and nobody knows which.

    Args:
        promised: bytes by the header.
        held: bytes that are there.

    Raises:
        DsirError: it does.
    """
    if held > promised:
        raise DsirError(
            f"{path} is damaged: it holds {_size(held - promised)} more than its header says; is a dimension wrong?"
        )


class Coding(NamedTuple):
    """How a header in words says that its voxels are stored.

    Attributes:
        kind: ``"raw"``, ``"gzip"``, ``"text"``, or another word that it says.
        start: bytes before the voxels, where they stand in the same file.
        skips: whether it leaves something out between.
    """

    kind: str
    start: int
    skips: bool


def coding(head: bytes) -> Coding:
    """Of an NRRD or MetaImage file."""
    if head.startswith(b"NRRD"):
        fields, header = nrrd_fields(head), re.match(rb".*?\r?\n\r?\n", head, re.DOTALL)
        said = fields.get("encoding", "").lower()
        kind = {"gz": "gzip", "ascii": "text", "txt": "text"}.get(said, said)
        skips = any(fields.get(name, "0") != "0" for name in ("byte skip", "byteskip", "line skip", "lineskip"))
        return Coding(kind, header.end() if header else len(head), skips)

    header = re.search(rb"^\s*ElementDataFile\s*=[^\r\n]*\r?\n", head, re.MULTILINE)
    said_of = head[: header.end()] if header else head

    def says(pattern: bytes) -> bool:
        return re.search(rb"^\s*" + pattern, said_of, re.MULTILINE | re.IGNORECASE) is not None

    kind = "gzip" if says(rb"CompressedData\s*=\s*True") else "text" if says(rb"BinaryData\s*=\s*False") else "raw"
    return Coding(kind, len(said_of), says(rb"HeaderSize\s*=\s*(?!0\s*$)"))


def head_of(path: Path) -> bytes:
    """How a file begins, a header in words at the least."""
    with open(path, "rb") as file:
        return file.read(HEADER)


def data_files(path: Path) -> list[Path]:
    """The files that hold the voxels of an NRRD or MetaImage file: itself, or what its header names beside it.

    Raises:
        DsirError: the header names a file elsewhere, or one that is not there.
    """
    head = head_of(path)
    if head.startswith(b"NRRD"):
        _check_nrrd(path, head)
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
        if not (path.parent / name).is_file():
            why = "a pattern for many files, which is not read" if "%" in name else "which is not beside it"
            raise DsirError(f"{path} cannot be read: its voxels are in {name}, {why}.")
    return [path.parent / name for name in names] or [path]


LARGEST = 1e9
"""mm of a place or of a voxel's side that a header may name; ITK searches for ever in larger ones."""


def nonsense(path: Path) -> DsirError:
    """What is said of a header whose numbers cannot be."""
    return DsirError(f"{path} is damaged: its header makes no sense.")


def nrrd_fields(head: bytes) -> dict[str, str]:
    """Name (small letters) to value of an NRRD header."""
    text = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0].decode("utf-8", "replace")
    pairs = (line.partition(":") for line in text.splitlines() if ":=" not in line)
    return {key.strip().lower(): value.strip() for key, mark, value in pairs if mark}


def _check_nrrd(path: Path, head: bytes) -> None:
    """Refuse a header that lacks what every NRRD file has, over which Teem ends the whole process."""
    header, *rest = re.split(rb"\r?\n\r?\n", head, maxsplit=1)
    fields = nrrd_fields(head)
    numbers = re.findall(NUMBER, f"{fields.get('space directions', '')} {fields.get('space origin', '')}")
    try:
        dimension, sizes = int(fields["dimension"]), [int(n) for n in fields["sizes"].split()]
        sound = {"type", "encoding"} <= set(fields) and 1 <= dimension <= 16 and len(sizes) == dimension
    except (KeyError, ValueError):
        sound = False
    whole = bool(rest) or "data file" in fields or "datafile" in fields
    if not sound or not whole or b"\0" in header or min(sizes) < 1 or not all(abs(float(n)) < LARGEST for n in numbers):
        raise nonsense(path)


NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf(?:inity)?)(?![\w.])"


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
        raise nonsense(path) from None
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
    listed = _meta_names(head) if re.search(rb"^\s*ElementDataFile\s*=\s*LIST", head, re.MULTILINE) else None
    if sound and listed is not None and len(listed) != sizes[-1]:  # MetaIO leaves the others as memory happens to be
        raise DsirError(f"{path} is damaged: it lists {len(listed)} data files for {sizes[-1]} slices.")
    unsaid = coding(head).kind == "gzip" and not any(found[b"CompressedDataSize"]) and not _meta_names(head)
    if unsaid:  # MetaIO then gives memory as it happens to be
        raise DsirError(f"{path} does not say how long its compressed voxels are (CompressedDataSize); write it anew.")
    places = re.findall(rb"^\s*(?:TransformMatrix|Rotation|Orientation|Offset|Position|Origin|ElementSpacing)\s*="
                        rb"[ \t]*([^\r\n]*)", head, re.MULTILINE | re.IGNORECASE)  # fmt: skip
    if not sound or not all(_is_measure(word) for line in places for word in line.split()):
        raise nonsense(path)


def _is_measure(word: bytes) -> bool:
    try:
        return abs(float(word)) < LARGEST
    except ValueError:
        return False


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

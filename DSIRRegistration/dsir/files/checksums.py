"""Compressed voxels end with a checksum, which readers that stop at the last voxel never compare: we do."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import DsirError
from .headers import check_surplus, coding

CHUNK = 1 << 20
"""Bytes read at once."""


def inflated_size(path: Path, data: Path | None = None, *, start: int = 0) -> int:
    """Bytes of a compressed stream once it is inflated; refuses a bit turned over in it, or an end cut off.

    Args:
        path: named in the sentence.
        data: the file that holds the voxels, where it is another one.
        start: bytes before the stream.

    Raises:
        DsirError: the checksum does not fit.
    """
    try:
        with open(data or path, "rb") as file:
            file.seek(start)
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(start)
            return sum(map(len, _unzipped(file) if gzipped else _inflated(file)))
    except (OSError, EOFError, zlib.error):
        raise DsirError(f"{path} is damaged: the checksum of its compressed voxels does not fit.") from None


def check_voxels(path: Path, head: bytes, files: list[Path], voxels: int, size: int) -> None:
    """Refuse an NRRD or MetaImage file whose voxels are spoiled, or more than its header says.

    Args:
        head: how it begins, its header at the least.
        files: those that hold the voxels (:func:`dsir.files.headers.data_files`).
        voxels: how many numbers the header says.
        size: bytes of each.

    Raises:
        DsirError: it is such a one.
    """
    kind, start, skips = coding(head)
    if skips or kind not in ("raw", "gzip", "text"):
        return
    held = 0
    for data in files:
        before = start if data == path else 0
        if kind == "gzip":
            held += inflated_size(path, data, start=before)
        elif kind == "raw":
            held += data.stat().st_size - before
        else:
            held += size * len(data.read_bytes()[before:].split())
    check_surplus(path, voxels * size, held)


def _unzipped(file: BinaryIO) -> Iterator[bytes]:
    with gzip.open(file) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """A zlib stream to its end."""
    stream = zlib.decompressobj()
    while not stream.eof:
        chunk = file.read(CHUNK)
        if not chunk:
            raise EOFError
        yield stream.decompress(chunk)

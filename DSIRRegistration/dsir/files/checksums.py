"""Compressed voxels end with a checksum, which readers that stop at the last voxel never compare: we do."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import DsirError

CHUNK = 1 << 20
"""Bytes read at once."""


def check_checksum(path: Path, data: Path | None = None, *, head: bytes = b"") -> None:
    """Refuse a file whose compressed voxels are not what was written: a bit turned over in them, or an end cut off.

    Args:
        path: named in the sentence.
        data: the file that holds the voxels, where it is another one.
        head: what stands before the compressed stream.

    Raises:
        DsirError: the checksum does not fit.
    """
    try:
        with open(data or path, "rb") as file:
            file.seek(len(head))
            first = file.read(2)
            file.seek(len(head))
            if first == b"\x1f\x8b":
                with gzip.open(file) as stream:
                    while stream.read(CHUNK):
                        pass
            else:
                _inflate(file.read)
    except (OSError, EOFError, zlib.error):
        raise DsirError(f"{path} is damaged: the checksum of its compressed voxels does not fit.") from None


def check_text_header(path: Path, head: bytes, files: list[Path]) -> None:
    """The same for NRRD and MetaImage, whose header says whether and where voxels are compressed.

    Raises:
        DsirError: the checksum does not fit.
    """
    if head.startswith(b"NRRD"):
        header = re.match(rb".*?\r?\n\r?\n", head, re.DOTALL)
        said = header[0] if header else head
        compressed = re.search(rb"^encoding:\s*(gz|gzip)\s*$", said, re.MULTILINE | re.IGNORECASE)
        skips = re.search(rb"^(byte|line) ?skip:", said, re.MULTILINE | re.IGNORECASE)
    else:
        header = re.search(rb"^\s*ElementDataFile\s*=[^\r\n]*\r?\n", head, re.MULTILINE)
        said = head[: header.end()] if header else head
        compressed = re.search(rb"^\s*CompressedData\s*=\s*True", said, re.MULTILINE | re.IGNORECASE)
        skips = re.search(rb"^\s*HeaderSize\s*=", said, re.MULTILINE | re.IGNORECASE)
    if not compressed or skips:
        return
    for data in files:
        check_checksum(path, data, head=said if data == path else b"")


def _inflate(read: Callable[[int], bytes]) -> None:
    """A zlib stream to its end.

    Raises:
        zlib.error: it does not fit its checksum.
        EOFError: it breaks off.
    """
    stream = zlib.decompressobj()
    while not stream.eof:
        chunk = read(CHUNK)
        if not chunk:
            raise EOFError
        stream.decompress(chunk)

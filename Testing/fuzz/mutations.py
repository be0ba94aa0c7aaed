"""Files spoiled as disks, networks, half-finished programs and people with bad intentions spoil them."""

from __future__ import annotations

import gzip
import re

import numpy as np

NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"3",
    b"65536",
    b"2147483647",
    b"4294967295",
    b"999999999999",
    b"1e308",
    b"nan",
    b"inf",
    b"x",
)
WORDS = (b"", b"\0", b"../../etc/passwd", b"http://localhost:9/x", b"&a;", b"%s%n", b"\xff\xfe", "ä左".encode())
BYTES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


def spoil(content: bytes, draw: np.random.Generator) -> bytes:
    """One to four faults; half of those in a gzipped file lie below its compression."""
    if content[:2] == b"\x1f\x8b" and draw.random() < 0.7:
        return gzip.compress(spoil(gzip.decompress(content), draw), 1)
    for _ in range(draw.integers(1, 5)):
        if content:
            content = FAULTS[draw.integers(len(FAULTS))](content, draw)
    return content


def _place(content: bytes, draw: np.random.Generator) -> int:
    """Anywhere, but more often in the first kilobyte, where headers are."""
    return int(draw.integers(min(len(content), 1024) if draw.random() < 0.7 else len(content)))


def _bit(content: bytes, draw: np.random.Generator) -> bytes:
    at = _place(content, draw)
    return content[:at] + bytes([content[at] ^ (1 << int(draw.integers(8)))]) + content[at + 1 :]


def _bytes(content: bytes, draw: np.random.Generator) -> bytes:
    at, count = _place(content, draw), int(draw.choice([1, 2, 4, 8]))
    return content[:at] + bytes([BYTES[draw.integers(len(BYTES))]]) * count + content[at + count :]


def _cut(content: bytes, draw: np.random.Generator) -> bytes:
    return content[: _place(content, draw)]


def _remove(content: bytes, draw: np.random.Generator) -> bytes:
    at = _place(content, draw)
    return content[:at] + content[at + int(draw.integers(1, 64)) :]


def _repeat(content: bytes, draw: np.random.Generator) -> bytes:
    at, count = _place(content, draw), int(draw.integers(1, 256))
    return content[: at + count] + content[at : at + count] * int(draw.integers(1, 4)) + content[at + count :]


def _number(content: bytes, draw: np.random.Generator) -> bytes:
    """Another number in the place of one that is written out."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", content[: 1 << 16]))
    if not found:
        return _bytes(content, draw)
    hit = found[draw.integers(len(found))]
    return content[: hit.start()] + NUMBERS[draw.integers(len(NUMBERS))] + content[hit.end() :]


def _word(content: bytes, draw: np.random.Generator) -> bytes:
    found = list(re.finditer(rb"[A-Za-z_]{2,}", content[: 1 << 16]))
    if not found:
        return _remove(content, draw)
    hit = found[draw.integers(len(found))]
    other = WORDS[draw.integers(len(WORDS))] if draw.random() < 0.5 else found[draw.integers(len(found))][0]
    return content[: hit.start()] + other + content[hit.end() :]


def _line(content: bytes, draw: np.random.Generator) -> bytes:
    """A line removed, doubled, or put elsewhere."""
    lines = content.split(b"\n")
    at = int(draw.integers(min(len(lines), 64)))
    line = lines.pop(at)
    for _ in range(int(draw.integers(3))):
        lines.insert(int(draw.integers(min(len(lines), 64) + 1)), line)
    return b"\n".join(lines)


FAULTS = (_bit, _bytes, _cut, _remove, _repeat, _number, _number, _word, _line)

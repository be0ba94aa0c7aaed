"""Legacy VTK (.vtk, versions 2 to 5): the POINTS block and, where there is one, the points' NORMALS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .parts import MeshError, MeshParts, as_text, fans, runs, strips

KINDS = {"float": ">f4", "double": ">f8"}
INDICES = {"vtktypeint64": ">i8", "vtktypeint32": ">i4", "int": ">i4", "long": ">i8"}


@dataclass(frozen=True)
class Block:
    """Where (N, 3) numbers lie in the file: ``content[start:stop]``."""

    start: int
    stop: int
    values: np.ndarray
    kind: str


def parse(content: bytes) -> MeshParts:
    """Points of a legacy file, ASCII or binary (big-endian); topology and arrays pass through."""
    head = content[:512].split(b"\n", 3)
    if not head[0].startswith(b"# vtk DataFile") or len(head) < 4:
        raise MeshError("is damaged or not a VTK surface.")
    binary = head[2].strip().upper() == b"BINARY"
    found = re.search(rb"\nPOINTS\s+(\d+)\s+(\w+)[ \t]*\r?\n", content)
    if not found:
        raise MeshError("holds no points: it is not a surface.")
    points = _block(content, found.end(), int(found[1]), found[2].decode(), binary)
    blocks = [points]
    # Only the normals of points: those of cells would stand after CELL_DATA.
    for hit in re.finditer(rb"\nNORMALS\s+\S+\s+(\w+)[ \t]*\r?\n", content[points.stop :]):
        before = content[points.stop : points.stop + hit.start()]
        if before.rfind(b"POINT_DATA") > before.rfind(b"CELL_DATA"):
            blocks.append(_block(content, points.stop + hit.end(), int(found[1]), hit[1].decode(), binary))
            break

    def rebuild(new_points: np.ndarray, normals: np.ndarray | None) -> bytes:
        pieces, at = [], 0
        for block, values in zip(blocks, (new_points, normals), strict=False):
            if values is not None:
                pieces += [content[at : block.start], _encode(values, block.kind, binary)]
                at = block.stop
        return b"".join([*pieces, content[at:]])

    normals = blocks[1].values if len(blocks) > 1 else None
    faces = np.concatenate([_faces(content, kind, binary) for kind in ("POLYGONS", "TRIANGLE_STRIPS")])
    return MeshParts(points.values, normals, head[1].decode("latin-1"), rebuild, faces)


def _faces(content: bytes, kind: str, binary: bool) -> np.ndarray:
    """Triangles (M, 3) of the polygons or strips; of version 5 and newer their offsets come before their corners."""
    found = re.search(rb"\n" + kind.encode() + rb"\s+(\d+)\s+(\d+)[ \t]*\r?\n", content)
    if not found:
        return np.zeros((0, 3), dtype=int)
    first, second = int(found[1]), int(found[2])
    cut = fans if kind == "POLYGONS" else strips
    arrays = re.match(rb"OFFSETS\s+(\w+)[ \t]*\r?\n", content[found.end() : found.end() + 80])
    if not arrays:
        return cut(*runs(_whole(content, found.end(), second, ">i4", binary)[0]))
    offsets, stop = _whole(content, found.end() + arrays.end(), first, INDICES[arrays[1].decode()], binary)
    follows = re.compile(rb"\s*CONNECTIVITY\s+(\w+)[ \t]*\r?\n").match(content, stop)
    if not follows:
        raise MeshError("is damaged: its faces have no corners.")
    return cut(_whole(content, follows.end(), second, INDICES[follows[1].decode()], binary)[0], offsets)


def _whole(content: bytes, start: int, count: int, kind: str, binary: bool) -> tuple[np.ndarray, int]:
    """``count`` whole numbers and where they end."""
    if binary:
        values = np.frombuffer(content, kind, count, offset=start)
        return values.astype(int), start + values.nbytes
    tokens = list(islice(re.compile(rb"\S+").finditer(content, start), count))
    return np.array([int(token[0]) for token in tokens], dtype=int), tokens[-1].end() if tokens else start


def _block(content: bytes, start: int, count: int, kind: str, binary: bool) -> Block:
    if kind not in KINDS:
        raise MeshError(f"has coordinates of type {kind}; float and double are supported.")
    if binary:
        values = np.frombuffer(content, KINDS[kind], 3 * count, offset=start)
        return Block(start, start + values.nbytes, values.reshape(-1, 3).astype(np.float64), kind)
    numbers: list[float] = []
    stop = start
    for token in re.finditer(rb"\S+", content[start:]):
        if len(numbers) == 3 * count:
            break
        numbers.append(float(token[0]))
        stop = start + token.end()
    if len(numbers) < 3 * count:
        raise MeshError("is damaged: it ends before its last point.")
    return Block(start, stop, np.array(numbers).reshape(-1, 3), kind)


def _encode(values: np.ndarray, kind: str, binary: bool) -> bytes:
    return values.astype(KINDS[kind]).tobytes() if binary else as_text(values).encode("ascii")

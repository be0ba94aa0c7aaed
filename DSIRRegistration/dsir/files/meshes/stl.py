"""STL: triangles with points of their own; facet normals follow from the points."""

from __future__ import annotations

import re

import numpy as np

from .parts import MeshError, MeshParts, with_numbers

FACET = np.dtype([("normal", "<f4", 3), ("points", "<f4", (3, 3)), ("attribute", "<u2")])


def parse(content: bytes) -> MeshParts:
    """Points (3 per triangle) of a binary or ASCII STL."""
    if len(content) >= 84 and len(content) == 84 + FACET.itemsize * int.from_bytes(content[80:84], "little"):
        return _binary(content)
    if content.lstrip()[:5].lower() != b"solid":
        raise MeshError("is damaged or not an STL surface.")
    return _ascii(content.decode("latin-1"))


def _binary(content: bytes) -> MeshParts:
    facets = np.frombuffer(content, FACET, offset=84)

    def rebuild(points: np.ndarray, normals: np.ndarray | None) -> bytes:
        new = facets.copy()
        new["points"] = points.reshape(-1, 3, 3)
        new["normal"] = _normals(points)
        return content[:84] + new.tobytes()

    points = facets["points"].reshape(-1, 3).astype(np.float64)
    return MeshParts(points, None, content[:80].decode("latin-1"), rebuild, np.arange(len(points)).reshape(-1, 3))


VERTEX, NORMAL = (
    re.compile(rf"(\b{words}\s+)(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE) for words in ("vertex", r"facet\s+normal")
)


def _ascii(text: str) -> MeshParts:
    """Of all solids in the file; their names and order stay as they are."""
    vertices = [match.groups()[1:] for match in VERTEX.finditer(text)]
    facets, odd = divmod(len(vertices), 3)
    if not facets or odd or len(NORMAL.findall(text)) > facets or "endsolid" not in text.lower():
        raise MeshError("is damaged: its facets are not complete triangles.")

    def rebuild(points: np.ndarray, normals: np.ndarray | None) -> bytes:
        return with_numbers(VERTEX, points, with_numbers(NORMAL, _normals(points), text)).encode("latin-1")

    points = np.array(vertices, dtype=np.float64)
    return MeshParts(points, None, text.lstrip().splitlines()[0], rebuild, np.arange(len(points)).reshape(-1, 3))


def _normals(points: np.ndarray) -> np.ndarray:
    a, b, c = points.reshape(-1, 3, 3).transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)

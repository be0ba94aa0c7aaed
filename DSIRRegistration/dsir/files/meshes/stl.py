"""STL: triangles with points of their own; facet normals follow from the points."""

from __future__ import annotations

import re

import numpy as np

from .parts import MeshError, MeshParts

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


def _ascii(text: str) -> MeshParts:
    vertices = re.findall(r"vertex\s+(\S+)\s+(\S+)\s+(\S+)", text, re.IGNORECASE)
    name = text.lstrip().splitlines()[0]
    if not vertices or len(vertices) % 3 or "endsolid" not in text.lower():
        raise MeshError("is damaged: its facets are not complete triangles.")

    def rebuild(points: np.ndarray, normals: np.ndarray | None) -> bytes:
        lines = [name]
        for normal, facet in zip(_normals(points).tolist(), points.reshape(-1, 3, 3).tolist(), strict=True):
            lines += [" facet normal {:.6g} {:.6g} {:.6g}".format(*normal), "  outer loop"]
            lines += ["   vertex {:.9g} {:.9g} {:.9g}".format(*vertex) for vertex in facet]
            lines += ["  endloop", " endfacet"]
        return "\n".join([*lines, "endsolid", ""]).encode("latin-1")

    points = np.array(vertices, dtype=np.float64)
    return MeshParts(points, None, name, rebuild, np.arange(len(points)).reshape(-1, 3))


def _normals(points: np.ndarray) -> np.ndarray:
    a, b, c = points.reshape(-1, 3, 3).transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)

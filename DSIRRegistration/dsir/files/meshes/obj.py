"""OBJ: lines of points, normals and faces by number; all else in it stays. Slicer's ``SPACE=`` is a comment."""

from __future__ import annotations

import re

import numpy as np

from .parts import MeshError, MeshParts, fans, with_numbers

POINT, NORMAL = (re.compile(rf"^([ \t]*{word}[ \t]+)(\S+)[ \t]+(\S+)[ \t]+(\S+)", re.MULTILINE) for word in ("v", "vn"))
FACE = re.compile(r"^[ \t]*f[ \t]+(.*)$", re.MULTILINE)


def parse(content: bytes) -> MeshParts:
    """Points of an OBJ, and normals where there is one for each point, in the same order."""
    text = content.decode("latin-1").replace("\\\n", " ")
    points, normals = (np.array([m.groups()[1:] for m in p.finditer(text)], dtype=np.float64) for p in (POINT, NORMAL))
    faces = [[word.split("/") for word in face[1].split("#")[0].split()] for face in FACE.finditer(text)]
    if not len(points) or not faces:
        raise MeshError("is damaged or not a surface: it holds no points, or no faces.")
    own = len(normals) == len(points) and all(c[0] == c[-1] for face in faces for c in face)
    if len(normals) and not own:
        raise MeshError("has normals that are not those of its points in turn; write it without normals.")

    def rebuild(new: np.ndarray, new_normals: np.ndarray | None) -> bytes:
        moved = with_numbers(POINT, new, text)
        return (moved if new_normals is None else with_numbers(NORMAL, new_normals, moved)).encode("latin-1")

    numbers = np.array([int(c[0]) for face in faces for c in face], dtype=int)
    if (numbers < 0).any():
        raise MeshError("counts the corners of its faces backwards (numbers below 0), which is not read.")
    offsets = np.concatenate([[0], np.cumsum([len(face) for face in faces])]).astype(int)
    comments = " ".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
    return MeshParts(points, normals if own and len(normals) else None, comments, rebuild, fans(numbers - 1, offsets))

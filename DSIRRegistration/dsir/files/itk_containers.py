"""ITK's transform files before ITK reads them: it ends the whole process over numbers that are missing."""

from __future__ import annotations

import math
import mmap
import re
from pathlib import Path

import numpy as np

from ..errors import DsirError
from .headers import nonsense

COUNTS = {
    "IdentityTransform": 0,
    "TranslationTransform": 3,
    "ScaleTransform": 3,
    "VersorTransform": 3,
    "Euler3DTransform": 6,
    "VersorRigid3DTransform": 6,
    "Similarity3DTransform": 7,
    "QuaternionRigidTransform": 7,
    "ScaleVersor3DTransform": 9,
    "AffineTransform": 12,
    "MatrixOffsetTransformBase": 12,
    "Rigid3DTransform": 12,
    "ScaleSkewVersor3DTransform": 15,
}
"""ITK's name of a 3-D transform to its number of parameters."""

GRIDDED = ("BSplineTransform", "DisplacementFieldTransform")
"""Those with three parameters a point of a grid, whose size comes first among the fixed parameters."""


def check_parameters(path: Path) -> None:
    """Refuse a text file of ITK (``.tfm``, ``.txt``) in which a parameter is no finite number, or one is missing.

    ITK stops at what is no number (``0,5``), and some kinds then read behind the end of what they got.

    Raises:
        DsirError: it is.
    """
    kind, parameters, kinds = "", np.zeros(0), []
    for line in path.read_text(errors="replace").splitlines():
        key, _, rest = line.partition(":")
        if key.strip() == "Transform":
            kind = rest.strip()
            kinds.append(kind)
        elif key.strip() == "Parameters":
            parameters = _numbers(rest, path)
        elif key.strip() == "FixedParameters":
            _check_count(kind, parameters, _numbers(rest, path), path)
    _check_single(kinds, path)


def _check_single(kinds: list[str], path: Path) -> None:
    """Refuse several transforms that no composite joins: ITK takes the first, and nobody knows in which order."""
    if len(kinds) > 1 and not kinds[0].startswith("Composite"):
        raise DsirError(f"{path} holds {len(kinds)} transforms and does not say how they follow; write a composite.")


def check_hdf5(path: Path) -> None:
    """Refuse an HDF5 file that is longer or shorter than it says, over which HDF5 may end the whole process, and one of
    several transforms that no composite joins.

    Raises:
        DsirError: it is such; other damage is seen by HDF5's own checksums.
    """
    with open(path, "rb") as file:
        head = file.read(64)
    place = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8]) if len(head) == 64 and head.startswith(b"\x89HDF\r\n") else None
    if place is None or int.from_bytes(head[place : place + 8], "little") != path.stat().st_size:
        raise DsirError(f"{path} is damaged: the file ends early, or holds what it does not know of.")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:  # a field is large
        joined = content.find(b"CompositeTransform_") >= 0  # each transform is a group with its own TransformType
        count = len(re.findall(b"TransformType", content))
    _check_single(["CompositeTransform" if joined else ""] * count, path)


def check_matlab(path: Path) -> None:
    """Refuse a MATLAB file (version 4, as ITK writes .mat) whose matrices do not fill it, or lack a parameter.

    Raises:
        DsirError: they do not fill it exactly, or are not as many numbers as the transform has parameters.
    """
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        words = [int.from_bytes(content[at + 4 * n : at + 4 * n + 4], "little", signed=True) for n in range(5)]
        kind, rows, columns, _, name = words
        if min(rows, columns, name) < 0 or kind not in (0, 10):  # little-endian doubles or floats
            raise nonsense(path)
        label, at = content[at + 20 : at + 20 + name].rstrip(b"\0").decode("ascii", "replace"), at + 20 + name
        size = rows * columns * (4 if kind else 8)
        if at + size <= len(content):
            found.append((label, np.frombuffer(content[at : at + size], "<f4" if kind else "<f8")))
        at += size
    if at != len(content):
        raise nonsense(path)
    for (name_of, parameters), (_, fixed) in zip(found[::2], found[1::2], strict=False):
        _check_count(name_of, parameters, fixed, path)
    _check_single([name_of for name_of, _ in found[::2]], path)


def _numbers(words: str, path: Path) -> np.ndarray:
    """The numbers of a line; each has to be finite."""
    try:
        found = np.array(words.split(), dtype=np.float64)
    except ValueError:
        raise DsirError(f"{path} is damaged: one of its parameters is not a number.") from None
    if not np.isfinite(found).all():
        raise DsirError(f"{path} is damaged: one of its parameters is NaN or infinite.")
    return found


def _check_count(kind: str, parameters: np.ndarray, fixed: np.ndarray, path: Path) -> None:
    """Refuse a transform with more or fewer parameters than its kind has; 2-D ones and unknown kinds pass."""
    name, *traits = kind.split("_")
    if traits[-2:] != ["3", "3"]:
        return
    wanted = COUNTS.get(name)
    if "BSpline" in name and name not in GRIDDED:  # BSplineDeformableTransform, at which ITK ends the whole process
        raise DsirError(f"{path} holds a {name}, a kind of B-spline that is not read; write its displacement field.")
    if name in GRIDDED and len(fixed) >= 3:
        wanted = 3 * math.prod(int(n) for n in fixed[:3])
    if wanted is not None and len(parameters) != wanted:
        raise DsirError(f"{path} is damaged: {name} takes {wanted} parameters, not {len(parameters)}.")

"""What all mesh formats have in common: points, perhaps normals, and a space."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import DsirError
from ...geometry.plausible import plausible
from ..atomic import complete_file
from ..headers import check_file
from . import gifti, legacy, obj, ply, stl, vtp
from .parts import MeshError, MeshParts

READERS: dict[str, Callable[[bytes], MeshParts]] = {
    ".vtp": vtp.parse,
    ".vtu": vtp.parse,
    ".vtk": legacy.parse,
    ".stl": stl.parse,
    ".ply": ply.parse,
    ".obj": obj.parse,
    ".gii": gifti.parse,
}


SPACE = re.compile(r"\bSPACE\s*[=:]\s*(LPS|RAS)\b", re.IGNORECASE)
"""How a comment names the coordinates, as Slicer writes it or a person by hand."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """The points of a surface file.

    Attributes:
        points: (N, 3) RAS mm.
        normals: (N, 3) unit vectors in RAS when the file stores them for its points, else None.
        triangles: (M, 3) point numbers of the faces; empty where there are none.
        space: ``"LPS"`` or ``"RAS"``, the file's own coordinates (kept on writing).
        remarks: what must be known of how it was read, one sentence each.
    """

    points: np.ndarray
    normals: np.ndarray | None
    triangles: np.ndarray
    space: str
    suffix: str
    _rebuild: Callable[[np.ndarray, np.ndarray | None], bytes] = field(repr=False)
    remarks: tuple[str, ...] = ()

    def write(self, path: str | Path, points: np.ndarray, normals: np.ndarray | None = None) -> None:
        """Write a copy of the file with these points (and normals), RAS mm; same format as it was read from.

        Raises:
            DsirError: another suffix than the original's, or the file cannot be written.
        """
        if Path(path).suffix.lower() != self.suffix:
            raise DsirError(f"{path}: this surface was read as {self.suffix} and is written as such.")
        flip = _flip(self.space)
        content = self._rebuild(points * flip, None if normals is None else normals * flip)
        with complete_file(path) as temporary:
            temporary.write_bytes(content)


def read_mesh(path: str | Path) -> Mesh:
    """Read a surface's points, in the coordinates that the file says (``SPACE=...``, as Slicer writes it), else LPS, as
    Slicer takes it (GIFTI is RAS).

    Raises:
        DsirError: missing, damaged, of another kind, without points, or in two spaces by its own words.
    """
    path = Path(path)
    check_file(path)
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DsirError(f"{path}: surfaces are read from {', '.join(READERS)}.")
    content = path.read_bytes()
    try:
        parts = READERS[suffix](content)
    except MeshError as error:
        raise DsirError(f"{path} {error}") from None
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, OSError):
        raise DsirError(f"{path} is damaged or not a {suffix} surface.") from None
    if not len(parts.points):
        raise DsirError(f"{path} holds no points.")
    if not plausible(parts.points):
        raise DsirError(f"{path} holds points that are not finite numbers, or more than a kilometre away.")
    said = {word.upper() for word in SPACE.findall(parts.comment)}
    if len(said) > 1:
        raise DsirError(f"{path} says both that its coordinates are LPS and that they are RAS; leave one.")
    space = "".join(said) or "LPS"
    unsaid = f"{path.name} does not say whether its coordinates are LPS or RAS; LPS was taken, as Slicer does."
    flip = _flip(space)
    normals = None if parts.normals is None else parts.normals * flip
    if parts.triangles.size and (parts.triangles.min() < 0 or parts.triangles.max() >= len(parts.points)):
        raise DsirError(f"{path} is damaged: its faces name points that it does not hold.")
    remarks = () if said else (unsaid,)
    return Mesh(parts.points * flip, normals, parts.triangles, space, suffix, parts.rebuild, remarks)


def _flip(space: str) -> np.ndarray:
    return np.array([1.0, 1.0, 1.0]) if space == "RAS" else np.array([-1.0, -1.0, 1.0])

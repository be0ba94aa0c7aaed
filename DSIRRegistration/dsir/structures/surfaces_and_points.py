"""Surfaces, curves and points from files, and back into copies of those files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DsirError
from ..files.meshes import READERS, Mesh, read_mesh
from ..files.points import PointFile, read_points
from ..geometry.lattice import Lattice, as_shape
from ..shapes.structure import PointSet, StructureSet, colour_of, unique_names
from ..transforms.composite import Transform
from ..warp.points import TOLERATED, moving_to_fixed
from .meshes import Side, warp_mesh
from .surfaces import REACH, from_surface, open_edges

SURFACES = tuple(READERS)
POINTS = (".json", ".fcsv", ".csv")
KINDS = (*SURFACES, *POINTS)


@dataclass(frozen=True, eq=False)
class GeometryFile:
    """One file.

    Attributes:
        name: of what it holds: the file's own, without its ending.
        content: as it was read; all but its points is written as it was.
    """

    name: str
    path: Path
    content: Mesh | PointFile


def read_geometry_files(
    paths: Sequence[str | Path], scan: Lattice | None = None
) -> tuple[StructureSet, tuple[GeometryFile, ...]]:
    """Closed surfaces become structures; open ones, curves and points become point sets, which have no volume.

    Args:
        scan: the moving scan's lattice; by default a box around everything.

    Raises:
        DsirError: a file cannot be read.
    """
    sources = [Path(path) for path in paths]
    names, remarks = unique_names([_stem(path) for path in sources])
    files, structures, point_sets = [], [], []
    for number, (name, path) in enumerate(zip(names, sources, strict=True), start=1):
        if path.suffix.lower() not in KINDS:
            raise DsirError(f"{path}: surfaces and curves are read from {', '.join(KINDS)}.")
        content = read_mesh(path) if path.suffix.lower() in SURFACES else read_points(path)
        files.append(GeometryFile(name, path, content))
        remarks += getattr(content, "remarks", ())
        colour = getattr(content, "colour", None) or colour_of(number)
        triangles = getattr(content, "triangles", np.zeros((0, 3), dtype=int))
        holes = open_edges(content.points, triangles)
        if len(triangles) and not holes:
            structures.append(from_surface(content.points, triangles, name=name, number=number, colour=colour))
            continue
        if holes:
            remarks.append(f"The surface {name} is not closed ({holes} open edges), so it has no volume to judge.")
        point_sets.append(PointSet(name, content.points, number, colour))
    everything = np.concatenate([file.content.points for file in files])
    return StructureSet(scan or _around(everything), tuple(structures), tuple(point_sets), tuple(remarks)), tuple(files)


def write_geometry_file(path: str | Path, file: GeometryFile, transform: Transform) -> list[str]:
    """Write a copy whose points lie on the fixed scan; what a reader must know of it.

    Args:
        transform: fixed to moving.

    Raises:
        DsirError: another ending than the original's, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != file.path.suffix.lower():
        raise DsirError(f"{path} has to end in {file.path.suffix}, as what was drawn does.")
    _, missed = write_moved(path, file.content, transform)
    return [] if missed < TOLERATED else [f"{file.name} is off by up to {missed:.2f} mm; the transform folds there."]


def write_moved(
    path: str | Path, content: Mesh | PointFile, transform: Transform, *, to: Side = "fixed"
) -> tuple[np.ndarray, float]:
    """Write a copy of a file whose points lie on the other scan.

    Args:
        transform: fixed to moving.

    Returns:
        the points (N, 3), RAS mm, as written, and by how many mm the inverse misses at most (0 towards moving).
    """
    if isinstance(content, Mesh):
        points, normals, missed = warp_mesh(content, transform, to=to)
        content.write(path, points, normals)
        return points, missed
    if to == "moving":
        points, missed = transform.transform_points(content.points), 0.0
    else:
        points, errors = moving_to_fixed(transform, content.points)
        missed = float(errors.max())
    content.write(path, points)
    return points, missed


def _stem(path: Path) -> str:
    name = path.name[: -len(path.suffix)] if path.suffix else path.name
    return name[:-4] if name.lower().endswith(".mrk") else name


def _around(points: np.ndarray) -> Lattice:
    low, high = points.min(0) - 2 * REACH, points.max(0) + 2 * REACH
    affine = np.eye(4)
    affine[:3, 3] = low
    return Lattice(as_shape(np.ceil(high - low) + 1), affine)

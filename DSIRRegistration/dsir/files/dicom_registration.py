"""DICOM registration objects as transforms: spatial (matrices) and deformable (PS3.3 C.20.2 and C.20.3).

A *spatial* registration says how each frame of reference reaches the registered one: its matrix takes a point of the
source to the registered frame; several matrices are applied one after the other, the first first. A *deformable* one
leads the other way, from the registered frame to the source: x -> post(pre(x) + d(x)), with d on
a grid in the registered frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydicom.dataset import Dataset

from ..dicom.dataset import first, items, numbers, read_header, read_whole, refusing_damage, says_dicom, text
from ..errors import DsirError, TransformError
from ..geometry.lattice import Lattice, as_shape
from ..geometry.plausible import plausible
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .itk import LPS

SPATIAL = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE = "1.2.840.10008.5.1.4.1.1.66.3"

MIRROR = np.array([-1, -1, 1], np.float32).reshape(3, 1, 1, 1)
"""Vectors (3, I, J, K) in LPS to RAS, and back."""

SEVERAL = (
    "{path} holds several registrations; which one is meant can be told only where both scans are DICOM and have "
    "frames of reference."
)

MOST_VECTORS = 200_000_000
"""Of a grid; a header that claims more is taken for damage."""


@dataclass(frozen=True)
class Frames:
    """Frames of reference of the two scans (UIDs); empty where nobody knows them."""

    fixed: str = ""
    moving: str = ""

    @staticmethod
    def of(headers: Mapping[str, Dataset], fixed: str = "fixed", moving: str = "moving") -> Frames:
        """Of the scans in these roles, as far as they are DICOM."""
        said = (text(headers[role], "FrameOfReferenceUID") if role in headers else "" for role in (fixed, moving))
        return Frames(*said)


def is_registration(path: Path) -> bool:
    """Whether a file is a DICOM registration object."""
    header = read_header(path) if says_dicom(path) else None
    return header is not None and registers(header)


def registers(header: Dataset) -> bool:
    """Whether a header is that of a DICOM registration object."""
    return text(header, "SOPClassUID") in (SPATIAL, DEFORMABLE)


def read_registration(path: Path, frames: Frames | None = None) -> Transform:
    """A fixed-to-moving transform.

    Args:
        frames: of the two scans; they pick among several registrations in one object, and tell which way it leads.

    Raises:
        TransformError: damaged, of frames that are not the scans', or several of which none can be picked.
    """
    with refusing_damage(path):
        dataset = read_whole(path)
        if dataset is None:
            raise TransformError(f"{path} is a damaged DICOM file.")
        try:
            if text(dataset, "SOPClassUID") == SPATIAL:
                return _spatial(dataset, path, frames or Frames())
            return _deformable(dataset, path, frames or Frames())
        except TransformError:
            raise
        except DsirError as error:
            raise TransformError(f"{path}: {error}") from None


def _spatial(dataset: Dataset, path: Path, frames: Frames) -> Transform:
    """moving-to-registered undone after fixed-to-registered."""
    registered = text(dataset, "FrameOfReferenceUID")
    found = [(_frame(item, dataset), _matrix_of(item, path)) for item in items(dataset, "RegistrationSequence")]
    if not found:
        raise TransformError(f"{path} holds no registration.")
    to_fixed = frames.fixed or registered
    fixed = _one([matrix for frame, matrix in found if frame == to_fixed], path)
    if frames.moving and frames.moving != to_fixed:
        moving = _one([matrix for frame, matrix in found if frame == frames.moving], path)
        if moving is None and frames.moving == registered:
            moving = np.eye(4)
    else:
        others = [matrix for frame, matrix in found if frame != to_fixed]
        if not others and len(found) == 2:  # both in one frame of reference, told apart by their images alone
            still = [bool(np.allclose(matrix, np.eye(4), atol=1e-9)) for _, matrix in found]
            others, fixed = [found[still.index(False)][1] if False in still else np.eye(4)], np.eye(4)
        moving = _one(others, path)
    if fixed is None and to_fixed == registered:
        fixed = np.eye(4)
    if fixed is None or moving is None:
        raise TransformError(f"{path} registers other frames of reference than those of the two scans.")
    matrix = np.linalg.inv(moving) @ fixed
    return Transform((Linear(LPS @ matrix @ LPS),))


def _one(found: list[np.ndarray], path: Path) -> np.ndarray | None:
    """The only matrix; None for none."""
    if len(found) > 1 and not all(np.allclose(matrix, found[0], atol=1e-6) for matrix in found[1:]):
        raise TransformError(SEVERAL.format(path=path))
    return found[0] if found else None


def _frame(item: Dataset, dataset: Dataset) -> str:
    return text(item, "FrameOfReferenceUID") or text(dataset, "FrameOfReferenceUID")


def _matrix_of(item: Dataset, path: Path) -> np.ndarray:
    """(4, 4) source to registered, LPS: the product of all matrices of an item; the first meets the point first."""
    sequence = first(item, "MatrixRegistrationSequence")
    matrices = [] if sequence is None else items(sequence, "MatrixSequence")
    if not matrices:
        raise TransformError(f"{path} holds a registration without a matrix.")
    total = np.eye(4)
    for one in matrices:
        total = _matrix(one, path) @ total
    return total


def _matrix(item: Dataset, path: Path) -> np.ndarray:
    values = numbers(item, "FrameOfReferenceTransformationMatrix", 16)
    matrix = None if values is None else values.reshape(4, 4)
    if matrix is None or not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-6) or abs(np.linalg.det(matrix)) < 1e-9:
        raise TransformError(f"{path} holds a matrix that is no registration.")
    return matrix


def _deformable(dataset: Dataset, path: Path, frames: Frames) -> Transform:
    """pre, the grid, post: from the registered frame to the source."""
    registered = text(dataset, "FrameOfReferenceUID")
    found = items(dataset, "DeformableRegistrationSequence")
    if not found:
        raise TransformError(f"{path} holds no registration.")
    if frames.fixed and registered and frames.fixed != registered:
        backwards = frames.moving == registered
        raise TransformError(
            f"{path} deforms another scan's frame of reference than the fixed one's"
            + ("; it leads from the moving scan to the fixed one: exchange the scans." if backwards else ".")
        )
    wanted = [i for i in found if not frames.moving or text(i, "SourceFrameOfReferenceUID") == frames.moving]
    moved = [i for i in wanted if first(i, "DeformableRegistrationGridSequence") is not None]
    if not wanted:
        raise TransformError(f"{path} registers another scan than the moving one.")
    if len(moved) > 1 or (not moved and len(wanted) > 1):
        raise TransformError(SEVERAL.format(path=path))
    return _deformed(moved[0] if moved else wanted[0], path)


def _deformed(item: Dataset, path: Path) -> Transform:
    pre, post = (first(item, f"{name}DeformationMatrixRegistrationSequence") for name in ("Pre", "Post"))
    before, after = (np.eye(4) if one is None else LPS @ _matrix(one, path) @ LPS for one in (pre, post))
    grid = first(item, "DeformableRegistrationGridSequence")
    if grid is None:
        return Transform((Linear(after @ before),))
    field = _grid(grid, path)
    if not np.allclose(before, np.eye(4), atol=1e-12):
        # x -> pre(x) + d(x), with d read at x itself: one field on the grid.
        shifted = DisplacementField.from_affine(before, field.lattice).vectors + field.vectors
        field = DisplacementField(shifted, field.lattice)
    return Transform((field, *(() if np.allclose(after, np.eye(4), atol=1e-12) else (Linear(after),))))


def _grid(grid: Dataset, path: Path) -> DisplacementField:
    """The vectors, RAS mm, on their lattice; where a vector is not defined (NaN) nothing moves."""
    cosines = numbers(grid, "ImageOrientationPatient", 6)
    origin = numbers(grid, "ImagePositionPatient", 3)
    spacing = numbers(grid, "GridResolution", 3)
    shape = numbers(grid, "GridDimensions", 3)
    if cosines is None or origin is None or spacing is None or shape is None:
        raise TransformError(f"{path} does not say where its deformation grid lies.")
    counts = tuple(int(n) for n in shape)
    if (spacing <= 0).any() or min(counts) < 1 or np.prod(np.array(counts, dtype=float)) > MOST_VECTORS:
        raise TransformError(f"{path} has a deformation grid that cannot be.")
    row, column = cosines[:3], cosines[3:]
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row, column, np.cross(row, column)], axis=1) * spacing
    affine[:3, 3] = origin
    data = grid.get("VectorGridData")
    if not isinstance(data, bytes) or len(data) // 4 != 3 * int(np.prod(counts)):
        raise TransformError(f"{path} has a deformation grid whose vectors are not all there.")
    values = np.frombuffer(data, dtype="<f4", count=3 * int(np.prod(counts)))
    vectors = values.reshape(*counts[::-1], 3).transpose(3, 2, 1, 0) * MIRROR
    vectors = np.where(np.isnan(vectors).any(0), np.float32(0), vectors)
    if not plausible(vectors):
        raise TransformError(f"{path} has a deformation grid with infinite vectors, or some a kilometre long.")
    lattice = Lattice(as_shape(counts), LPS @ affine)
    return DisplacementField(torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32)), lattice)

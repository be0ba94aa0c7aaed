"""Where voxels lie: the shape of a volume and its index-to-RAS affine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DsirError
from .plausible import plausible

ORTHOGONALITY_TOLERANCE = 1e-3
"""Largest cosine between two index axes that still counts as a right angle (float32 headers round to about 1e-4)."""


WIDEST, FLATTEST = 1e4, 200.0
"""mm of a voxel, and how many times longer than another its longest side may be."""

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""(4, 4) RAS to LPS, as DICOM and ITK have it, and back."""


Shape = tuple[int, int, int]
"""Numbers of voxels along I, J, K."""


def as_shape(counts: Iterable[int]) -> Shape:
    """Three counts of any kind (array, torch.Size, tuple) as a shape of plain integers."""
    i, j, k = counts
    return int(i), int(j), int(k)


@dataclass(frozen=True, eq=False)
class Lattice:
    """A regular grid of voxel centres in RAS space.

    Attributes:
        shape: number of voxels along the three index axes (I, J, K).
        affine: (4, 4) float64; homogeneous voxel index to RAS mm. May be oblique and left-handed, never sheared.

    Raises:
        DsirError: the shape is not 3-D, or the affine is singular, sheared or not finite.
    """

    shape: Shape
    affine: np.ndarray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise DsirError(f"A volume must have three dimensions, but this one has the shape {shape}.")
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise DsirError("The image's affine (index to RAS) is not a finite 4 x 4 matrix.")
        columns = affine[:3, :3]
        lengths = np.linalg.norm(columns, axis=0)
        if lengths.min() < 1e-6 or abs(np.linalg.det(columns / np.maximum(lengths, 1e-12))) < 1e-3:
            raise DsirError(
                "The image's affine is singular: its voxels have no volume, so positions in mm are unknown."
            )
        if lengths.max() > WIDEST or lengths.max() > FLATTEST * lengths.min():
            widths = " x ".join(f"{length:.3g}" for length in lengths)
            raise DsirError(f"The image's voxels are {widths} mm wide, which no scan has: its geometry is damaged.")
        if not plausible(affine[:3, 3]):
            raise DsirError("The image lies more than a kilometre from the scanner's centre: its geometry is damaged.")
        cosines = (columns / lengths).T @ (columns / lengths) - np.eye(3)
        if np.abs(cosines).max() > ORTHOGONALITY_TOLERANCE:
            raise DsirError(
                f"The image's affine is sheared (cosine {np.abs(cosines).max():.4f} between two axes); resample the "
                "image to a grid with right angles first."
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @property
    def spacing(self) -> np.ndarray:
        """(3,) voxel size in mm along the index axes."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def directions(self) -> np.ndarray:
        """(3, 3) unit vectors of the index axes in RAS, as columns."""
        return self.affine[:3, :3] / self.spacing

    @property
    def origin(self) -> np.ndarray:
        """(3,) RAS mm of voxel (0, 0, 0)'s centre."""
        return self.affine[:3, 3].copy()

    @property
    def extent(self) -> np.ndarray:
        """(3,) mm covered along the index axes, voxel edges included."""
        return self.spacing * np.array(self.shape)

    @property
    def centre(self) -> np.ndarray:
        """(3,) RAS mm of the middle of the volume."""
        return self.to_world((np.array(self.shape) - 1) / 2)

    def to_world(self, index: np.ndarray) -> np.ndarray:
        """Voxel indices (..., 3) to RAS mm (..., 3)."""
        return np.asarray(index) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points: np.ndarray) -> np.ndarray:
        """RAS mm (..., 3) to continuous voxel indices (..., 3)."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(points) @ inverse[:3, :3].T + inverse[:3, 3]

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether RAS points (..., 3) lie within the voxels (edges included); bool (...)."""
        index = self.to_index(points)
        return np.all((index >= -0.5 - 1e-6) & (index <= np.array(self.shape) - 0.5 + 1e-6), axis=-1)

    def corners(self) -> np.ndarray:
        """(8, 3) RAS mm of the corner voxels' outer corners."""
        steps = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), -1).reshape(-1, 3)
        return self.to_world(steps * np.array(self.shape) - 0.5)

    def reach(self) -> str:
        """Where the volume lies along the patient's axes, for people: ``R -90..90, A -126..90, S -72..108 mm``."""
        low, high = self.corners().min(0), self.corners().max(0)
        return ", ".join(f"{axis} {a:.0f}..{b:.0f}" for axis, a, b in zip("RAS", low, high, strict=True)) + " mm"

    def window(self, start: np.ndarray, shape: Iterable[int]) -> Lattice:
        """The lattice of the box that begins at voxel ``start`` (may be negative) and has ``shape`` voxels."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_world(np.asarray(start, dtype=np.float64))
        return Lattice(as_shape(shape), affine)

    def covering(self, points: np.ndarray) -> Lattice:
        """The lattice with these voxels that covers RAS points (N, 3) and nothing more."""
        index = self.to_index(points)
        start = np.floor(index.min(0)).astype(int)
        return self.window(start, np.ceil(index.max(0)).astype(int) + 1 - start)

    def in_blocks(self, size: int | Sequence[int], shape: Iterable[int]) -> Lattice:
        """Where the means of blocks of so many voxels lie, ``shape`` of them."""
        blocks = np.broadcast_to(size, 3)
        affine = self.affine.copy()
        affine[:3, 3] = self.to_world((blocks - 1) / 2)
        affine[:3, :3] *= blocks
        return Lattice(as_shape(shape), affine)

    def right_handed(self) -> Lattice:
        """The same voxels, counted from the other end of the first axis where the axes are left-handed."""
        if np.linalg.det(self.affine[:3, :3]) > 0:
            return self
        flip = np.diag([-1.0, 1.0, 1.0, 1.0])
        flip[0, 3] = self.shape[0] - 1
        return Lattice(self.shape, self.affine @ flip)

    def with_spacing(self, spacing: float | np.ndarray) -> Lattice:
        """Same directions and the same covered box, other voxel size (mm); the count of voxels is rounded up.

        The centre of the box is kept, so that repeated changes do not drift.
        """
        spacing = np.broadcast_to(np.asarray(spacing, dtype=np.float64), (3,))
        shape = np.maximum(np.ceil(self.extent / spacing - 1e-3), 1).astype(int)
        affine = np.eye(4)
        affine[:3, :3] = self.directions * spacing
        affine[:3, 3] = self.centre - affine[:3, :3] @ ((shape - 1) / 2)
        return Lattice(as_shape(shape), affine)

    def matches(self, other: Lattice, tolerance_mm: float = 1e-2) -> bool:
        """Whether both describe the same voxels: same shape, corners within ``tolerance_mm``."""
        return self.shape == other.shape and bool(np.abs(self.corners() - other.corners()).max() <= tolerance_mm)


def check_inside(point: np.ndarray, lattice: Lattice, called: str) -> None:
    """Refuse a point (3,), RAS mm, beyond the volume that people know as ``called``.

    Raises:
        DsirError: it lies there; the sentence says how far the volume reaches.
    """
    if not lattice.contains(point):
        where = "({:.1f}, {:.1f}, {:.1f}) mm (RAS)".format(*point)
        raise DsirError(f"The point {where} lies outside {called}, which reaches {lattice.reach()}.")

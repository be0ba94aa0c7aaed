"""Axial, coronal and sagittal planes through a body, in millimetres, whatever way the voxels lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.sampling import sample

LONGEST = 360
"""Pixels along the longest side of a plane: finer than a printed page shows."""

FEW = 8_000_000
"""Voxels looked at to find the body's box."""

MARGIN = 0.04
"""Room around the body, as a share of its extent."""

# Name, RAS direction of the screen's right and of its top, and the letters at the left, right, top and bottom.
# Radiological: the patient's right is at the reader's left; in sagittal planes the patient looks to the left.
_VIEWS = (
    ("axial", (-1, 0, 0), (0, 1, 0), "RLAP"),
    ("coronal", (-1, 0, 0), (0, 0, 1), "RLSI"),
    ("sagittal", (0, -1, 0), (0, 0, 1), "APSI"),
)


@dataclass(frozen=True, eq=False)
class Plane:
    """A picture plane in RAS space.

    Attributes:
        name: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        points: (H, W, 3) RAS mm of the pixels, top left first.
        pixel: mm from pixel to pixel, both ways.
        letters: patient directions at the left, right, top and bottom edge.
        position: RAS mm of the plane along its normal.
    """

    name: str
    points: np.ndarray
    pixel: float
    letters: str
    position: float

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) in mm."""
        height, width = self.points.shape[:2]
        return width * self.pixel, height * self.pixel


def planes_through(lattice: Lattice, body: torch.Tensor, point: np.ndarray | None = None) -> list[Plane]:
    """Three planes through a point, cut to the body with a margin.

    Args:
        body: (I, J, K) bool on ``lattice``; an empty one counts as full.
        point: (3,) RAS mm; the middle of the body by default.
    """
    thin = max(1, round((body.numel() / FEW) ** (1 / 3)))  # the list of a whole CT's voxels would be ten CTs large
    some = body[::thin, ::thin, ::thin]
    index = thin * (some if bool(some.any()) else torch.ones_like(some, dtype=torch.bool)).nonzero().numpy()
    world = lattice.to_world(index[:: max(1, len(index) // 200_000)])
    low, high = world.min(0) - lattice.spacing.max() / 2, world.max(0) + lattice.spacing.max() / 2
    room = MARGIN * (high - low).max()
    corners = lattice.corners()
    low, high = np.maximum(low - room, corners.min(0)), np.minimum(high + room, corners.max(0))
    pixel = max(float(lattice.spacing.min()) / 2, float((high - low).max()) / LONGEST)
    middle = np.median(world, axis=0) if point is None else np.asarray(point, dtype=float)
    return [_plane(view, low, high, middle, pixel) for view in _VIEWS]


def _plane(view: tuple, low: np.ndarray, high: np.ndarray, middle: np.ndarray, pixel: float) -> Plane:
    name, right, top, letters = view
    right, top = np.array(right, dtype=float), np.array(top, dtype=float)
    normal = np.abs(np.cross(right, top))
    centre = (low + high) / 2 * (1 - normal) + middle * normal
    width, height = (max(round(float(np.abs((high - low) @ axis)) / pixel), 2) for axis in (right, top))
    x = (np.arange(width) - (width - 1) / 2) * pixel
    y = ((height - 1) / 2 - np.arange(height)) * pixel
    points = centre + x[None, :, None] * right + y[:, None, None] * top
    return Plane(name, points, pixel, letters, float(middle @ normal))


def look(image: Image, points: np.ndarray) -> np.ndarray:
    """Intensities (H, W) at RAS points (H, W, 3); NaN outside the image."""
    flat = points.reshape(-1, 3)
    index = torch.as_tensor(image.lattice.to_index(flat).T, dtype=torch.float32)
    values = sample(image.data[None].float().cpu(), index, padding="border")[0].double().numpy()
    return np.where(image.lattice.contains(flat), values, np.nan).reshape(points.shape[:2])

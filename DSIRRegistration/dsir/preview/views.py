"""What the pictures of a registration show, read once: scans, outlines, masks, volume change, deformed grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.windows import fitting_window, window_beside
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .edges import outlines
from .planes import Plane, look

COARSE = 2
"""Every second pixel is enough for the determinant: pixels are half a voxel."""


@dataclass(frozen=True, eq=False)
class Views:
    """Three planes through a registered pair; each attribute holds one array for each plane.

    Attributes:
        displacement: the whole transform, fixed to moving.
        start: what the user gave to begin with.
        body: (I, J, K) bool on the fixed grid.
        moving_body: the same on the moving grid; None where it is not known.
        planes: where to look.
    """

    fixed: Image
    moving: Image
    displacement: DisplacementField
    start: Transform
    body: torch.Tensor
    moving_body: torch.Tensor | None
    planes: Sequence[Plane]

    @cached_property
    def still(self) -> list[np.ndarray]:
        """The fixed scan, grey values 0..1."""
        return grey([look(self.fixed, plane.points) for plane in self.planes], self._fixed_window)

    @cached_property
    def before(self) -> list[np.ndarray]:
        """The moving scan at the start."""
        return grey([look(self.moving, points) for points in self._before_points], self._moving_window)

    @cached_property
    def warped(self) -> list[np.ndarray]:
        """The moving scan on the fixed grid."""
        return grey([look(self.moving, points) for points in self.whereto], self._moving_window)

    @cached_property
    def whereto(self) -> list[np.ndarray]:
        """(H, W, 3) RAS mm: where each pixel lies in the moving scan."""
        return [plane.points + _shift(self.displacement, plane.points) for plane in self.planes]

    @property
    def before_heading(self) -> str:
        """What :attr:`before` shows."""
        if not self._meets:
            return "moving, centred"
        return "moving, at the start" if self.start.parts else "moving, as given"

    @cached_property
    def inside(self) -> list[np.ndarray]:
        """(H, W) bool: in the fixed body."""
        return self._mask(Image(self.body.float().cpu(), self.fixed.lattice), [p.points for p in self.planes])

    @cached_property
    def moving_inside(self) -> list[np.ndarray] | None:
        """(H, W) bool: in the moving body, as :attr:`before` shows it."""
        if self.moving_body is None:
            return None
        return self._mask(Image(self.moving_body.float().cpu(), self.moving.lattice), self._before_points)

    @cached_property
    def outlines(self) -> list[np.ndarray]:
        """(H, W) bool: the fixed scan's outlines."""
        found = zip(self.still, self.planes, self.inside, strict=True)
        return [outlines(picture, plane.pixel, inside) for picture, plane, inside in found]

    @cached_property
    def determinants(self) -> list[np.ndarray]:
        """Jacobian determinant at every second pixel."""
        return [_determinant(self.displacement, plane.points[::COARSE, ::COARSE]) for plane in self.planes]

    @cached_property
    def in_plane(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The two coordinates (RAS mm) in each plane that a pixel has in the moving scan."""
        axes = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
        found = zip(self.planes, self.whereto, strict=True)
        return [(moved[..., axes[p.name][0]], moved[..., axes[p.name][1]]) for p, moved in found]

    @cached_property
    def _fixed_window(self) -> tuple[float, float]:
        return fitting_window(self.fixed.data.numpy(), self.body.numpy())

    @cached_property
    def _moving_window(self) -> tuple[float, float]:
        body = None if self.moving_body is None else self.moving_body.numpy()
        return window_beside(self.moving.data.numpy(), body, self.fixed.data.numpy(), self._fixed_window)

    @cached_property
    def _meets(self) -> bool:
        """Whether the scans share space at the start."""
        seen = [
            self.moving.lattice.contains(_through(self.start, plane.points).reshape(-1, 3)).mean()
            for plane in self.planes
        ]
        return float(np.mean(seen)) > 0.1

    @cached_property
    def _before_points(self) -> list[np.ndarray]:
        start = self.start
        if not self._meets:
            shift = np.eye(4)
            shift[:3, 3] = self.moving.lattice.centre - self.fixed.lattice.centre
            start = Transform((Linear(shift),))
        return [_through(start, plane.points) for plane in self.planes]

    @staticmethod
    def _mask(mask: Image, places: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [look(mask, points) > 0.5 for points in places]


def _through(transform: Transform, points: np.ndarray) -> np.ndarray:
    return transform.transform_points(points.reshape(-1, 3)).reshape(points.shape)


def _shift(displacement: DisplacementField, points: np.ndarray) -> np.ndarray:
    return displacement.at(points.reshape(-1, 3)).reshape(points.shape)


def _determinant(displacement: DisplacementField, points: np.ndarray) -> np.ndarray:
    """(H, W) det J by central differences over two voxels along the lattice's own axes."""
    directions, spacing = displacement.lattice.directions, displacement.lattice.spacing
    gradients = []
    for axis in range(3):
        step = directions[:, axis] * spacing[axis]
        difference = _shift(displacement, points + step) - _shift(displacement, points - step)
        gradients.append(difference / (2 * spacing[axis]))
    along = np.stack(gradients, -1)  # d u / d (distance along each axis), as columns
    return np.linalg.det(np.eye(3) + along @ directions.T)


def grey(pictures: Sequence[np.ndarray], window: tuple[float, float]) -> list[np.ndarray]:
    """Values to 0..1 between the window's lowest and highest grey."""
    low, high = window
    return [np.clip((p - low) / max(high - low, 1e-6), 0, 1) for p in pictures]

"""The six columns of the picture, one small class for each way of looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize

from ..geometry.image import Image
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .edges import outlines
from .planes import Plane, look

OUTLINE = np.array([1.0, 0.72, 0.25])
VOLUME_CHANGE = LinearSegmentedColormap.from_list(
    "volume change", ["#7fd6ff", "#2f8fd8", "#1d4a7d", "#23262d", "#8a4a17", "#e08a2c", "#ffd98a"]
)
"""Blue shrinks, dark stays, amber grows."""

FOLD = np.array([1.0, 0.0, 0.55])
COARSE = 2
"""Every second pixel is enough for the determinant: pixels are half a voxel."""

GRID = 10.0
"""mm between the lines of the deformed grid; twice that where the planes are wider than 300 mm."""


class Column(Protocol):
    """One way of looking, for all planes."""

    heading: str

    def paint(self, axes: Axes, row: int) -> None:
        """Fill the panel of plane ``row``."""


@dataclass(frozen=True)
class Grey:
    """An image as it is."""

    heading: str
    pictures: Sequence[np.ndarray]

    def paint(self, axes: Axes, row: int) -> None:
        """Grey values 0..1."""
        axes.imshow(self.pictures[row], cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="bilinear")


@dataclass(frozen=True)
class Outlined:
    """An image with the outlines of another one on it: what was one must lie on what is the other."""

    heading: str
    pictures: Sequence[np.ndarray]
    outlines: Sequence[np.ndarray]

    def paint(self, axes: Axes, row: int) -> None:
        """Grey values 0..1, a little dimmed, and thin lines."""
        picture = np.repeat(0.85 * np.nan_to_num(self.pictures[row])[..., None], 3, axis=-1)
        picture[self.outlines[row]] = OUTLINE
        axes.imshow(picture, aspect="auto", interpolation="antialiased")


@dataclass(frozen=True)
class Jacobian:
    """How much volume grows or shrinks, folds in a colour of their own."""

    heading: str
    determinants: Sequence[np.ndarray]
    inside: Sequence[np.ndarray]
    limit: float

    def paint(self, axes: Axes, row: int) -> None:
        """log2 of the determinant, dimmed outside the body."""
        determinant = self.determinants[row]
        scaled = np.log2(np.maximum(determinant, 1e-3)) / self.limit
        picture = VOLUME_CHANGE(Normalize(-1, 1)(scaled))[..., :3]
        picture = np.where(self.inside[row][..., None], picture, 0.35 * picture)
        picture[determinant <= 0] = FOLD
        rows, columns = picture.shape[:2]
        extent = (-0.5, COARSE * columns - 0.5, COARSE * rows - 0.5, -0.5)
        axes.imshow(picture, aspect="auto", interpolation="nearest", extent=extent)

    def legend(self, axes: Axes) -> None:
        """A bar with the determinants at its ends and 1 in its middle."""
        axes.imshow(np.linspace(-1, 1, 256)[None], cmap=VOLUME_CHANGE, aspect="auto", extent=(-1, 1, 0, 1))
        ends = 2.0 ** np.array([-self.limit, 0, self.limit])
        axes.set(yticks=[], xticks=[-1, 0, 1], xticklabels=[f"{end:.2f}".rstrip("0").rstrip(".") for end in ends])
        axes.tick_params(length=0, labelsize=7.5, labelcolor="#7d8590", pad=3)
        for spine in axes.spines.values():
            spine.set_visible(False)


@dataclass(frozen=True)
class DeformedGrid:
    """A regular grid of moving space, carried onto the fixed image as the moving image is."""

    heading: str
    pictures: Sequence[np.ndarray]
    coordinates: Sequence[tuple[np.ndarray, np.ndarray]]
    spacing: float

    def paint(self, axes: Axes, row: int) -> None:
        """Level lines of the two in-plane coordinates over the dimmed fixed image."""
        axes.imshow(0.38 * self.pictures[row], cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="bilinear")
        for values in self.coordinates[row]:
            levels = np.arange(np.floor(values.min() / self.spacing), values.max() / self.spacing) * self.spacing
            levels = levels[levels >= values.min()]
            if len(levels):
                axes.contour(values, levels=levels, colors="#9fd8c8", linewidths=0.55, linestyles="solid")


def columns(
    fixed: Image,
    moving: Image,
    displacement: DisplacementField,
    start: Transform,
    body: torch.Tensor,
    planes: Sequence[Plane],
) -> list[Column]:
    """Read everything the picture shows."""
    whereto = [(plane.points + _shift(displacement, plane.points)) for plane in planes]
    before, heading = _before(fixed, moving, start, planes)
    still, warped = [look(fixed, plane.points) for plane in planes], [look(moving, points) for points in whereto]
    inside = [look(Image(body.float().cpu(), fixed.lattice), plane.points) > 0.5 for plane in planes]
    window = _window(warped, inside)
    still, before, warped = _grey(still, _window(still, inside)), _grey(before, window), _grey(warped, window)
    drawn = [outlines(p, plane.pixel, i) for p, plane, i in zip(still, planes, inside, strict=True)]
    determinants = [_determinant(displacement, plane.points[::COARSE, ::COARSE]) for plane in planes]
    coarse = [mask[::COARSE, ::COARSE] for mask in inside]
    largest = max(max(plane.size) for plane in planes)
    spacing = GRID if largest < 300 else 2 * GRID
    return [
        Grey("fixed", still),
        Grey(heading, before),
        Grey("warped", warped),
        Outlined("outlines of fixed on warped", warped, drawn),
        Jacobian("volume change (det J)", determinants, coarse, _limit(determinants, coarse)),
        DeformedGrid(f"deformed grid ({spacing:g} mm)", still, _in_plane(planes, whereto), spacing),
    ]


def _before(fixed: Image, moving: Image, start: Transform, planes: Sequence[Plane]) -> tuple[list[np.ndarray], str]:
    shown = [look(moving, _through(start, plane.points)) for plane in planes]
    if np.mean([np.isfinite(picture).mean() for picture in shown]) > 0.1:
        return shown, "moving, at the start" if start.parts else "moving, as given"
    shift = np.eye(4)
    shift[:3, 3] = moving.lattice.centre - fixed.lattice.centre
    centred = Transform((Linear(shift),))
    return [look(moving, _through(centred, plane.points)) for plane in planes], "moving, centred"


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


def _in_plane(planes: Sequence[Plane], whereto: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    axes = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
    return [tuple(moved[..., axis] for axis in axes[p.name]) for p, moved in zip(planes, whereto, strict=True)]


def _window(pictures: Sequence[np.ndarray], inside: Sequence[np.ndarray]) -> tuple[float, float]:
    """The 5th and 99th percentile of the body, so that neither air nor metal takes the greys from the tissue."""
    values = np.concatenate([p[i & np.isfinite(p)] for p, i in zip(pictures, inside, strict=True)])
    if values.size < 100:
        values = np.concatenate([p[np.isfinite(p)] for p in pictures])
    return tuple(np.percentile(values, (5.0, 99.0))) if values.size else (0.0, 1.0)


def _grey(pictures: Sequence[np.ndarray], window: tuple[float, float]) -> list[np.ndarray]:
    low, high = window
    return [np.clip((p - low) / max(high - low, 1e-6), 0, 1) for p in pictures]


def _limit(determinants: Sequence[np.ndarray], inside: Sequence[np.ndarray]) -> float:
    """The span of the colours: a factor of 1.25, 1.5, 2, 3 or 4, whichever holds 99 % of the body."""
    values = np.concatenate([d[i] for d, i in zip(determinants, inside, strict=True)])
    spread = np.percentile(np.abs(np.log2(np.maximum(values, 1e-3))), 99) if values.size else 0.0
    return next((s for s in np.log2([1.25, 1.5, 2, 3]) if spread <= s), 2.0)

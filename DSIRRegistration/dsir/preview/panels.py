"""The columns of a picture, one small class for each way of looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize

from .views import COARSE, Views

OUTLINE = np.array([1.0, 0.72, 0.25])
VOLUME_CHANGE = LinearSegmentedColormap.from_list(
    "volume change", ["#7fd6ff", "#2f8fd8", "#1d4a7d", "#23262d", "#8a4a17", "#e08a2c", "#ffd98a"]
)
"""Blue shrinks, dark stays, amber grows."""

MASK = "#4cc9f0"
TINT = np.array([0.78, 0.9, 1.0])
SQUARE = 28.0
"""mm; side of a checkerboard's square, less on small planes: at least six lie across one."""

FOLD = np.array([1.0, 0.0, 0.55])
GRID = 10.0
"""mm between the lines of the deformed grid; twice that where the planes are wider than 300 mm."""


class Column(Protocol):
    """One way of looking, for all planes."""

    @property
    def heading(self) -> str: ...

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
class Masked:
    """An image with the border of the region that was registered."""

    heading: str
    pictures: Sequence[np.ndarray]
    inside: Sequence[np.ndarray]

    def paint(self, axes: Axes, row: int) -> None:
        """Grey values 0..1, and a thin line around the mask."""
        axes.imshow(self.pictures[row], cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="bilinear")
        if self.inside[row].any() and not self.inside[row].all():
            axes.contour(self.inside[row].astype(float), levels=[0.5], colors=MASK, linewidths=0.8)


@dataclass(frozen=True)
class Checkerboard:
    """Two images in turn: structures must run on across the borders of the squares.

    Attributes:
        square: pixels of a square's side, for each plane.
    """

    heading: str
    pictures: Sequence[np.ndarray]
    others: Sequence[np.ndarray]
    square: Sequence[int]

    def paint(self, axes: Axes, row: int) -> None:
        """Grey values 0..1; the second image a little bluish, so that one knows which is which."""
        picture, other, square = self.pictures[row], self.others[row], self.square[row]
        down, across = np.indices(picture.shape) // square
        second = ((down + across) % 2 == 1)[..., None]
        mixed = np.where(second, np.nan_to_num(other)[..., None] * TINT, np.nan_to_num(picture)[..., None] * np.ones(3))
        axes.imshow(mixed, aspect="auto", interpolation="antialiased")


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


def overview(views: Views) -> list[Column]:
    """The six columns of ``preview.png``."""
    return [
        Masked("fixed, region registered", views.still, views.inside),
        _moving(views),
        Grey("warped", views.warped),
        Outlined("outlines of fixed on warped", views.warped, views.outlines),
        jacobian(views),
        deformed_grid(views),
    ]


def comparison(views: Views) -> list[Column]:
    """Before beside after."""
    square = [max(4, round(min(SQUARE, max(plane.size) / 6) / plane.pixel)) for plane in views.planes]
    return [
        Grey("fixed", views.still),
        Grey(views.before_heading, views.before),
        Grey("moving, registered", views.warped),
        Checkerboard("checkerboard before", views.still, views.before, square),
        Checkerboard("checkerboard after", views.still, views.warped, square),
    ]


def change(views: Views) -> list[Column]:
    """Where structures meet, what was registered, and how tissue was moved."""
    return [
        Outlined("outlines of fixed on registered", views.warped, views.outlines),
        Masked("fixed, region registered", views.still, views.inside),
        _moving(views),
        jacobian(views),
        deformed_grid(views),
    ]


def jacobian(views: Views) -> Jacobian:
    """Volume change."""
    inside = [mask[::COARSE, ::COARSE] for mask in views.inside]
    return Jacobian("volume change (det J)", views.determinants, inside, _limit(views.determinants, inside))


def deformed_grid(views: Views) -> DeformedGrid:
    """The moving scan's regular grid on the fixed scan."""
    spacing = GRID if max(max(plane.size) for plane in views.planes) < 300 else 2 * GRID
    return DeformedGrid(f"deformed grid ({spacing:g} mm)", views.still, views.in_plane, spacing)


def _moving(views: Views) -> Column:
    if views.moving_inside is None:
        return Grey(views.before_heading, views.before)
    return Masked(views.before_heading, views.before, views.moving_inside)


def _limit(determinants: Sequence[np.ndarray], inside: Sequence[np.ndarray]) -> float:
    """The span of the colours: a factor of 1.25, 1.5, 2, 3 or 4, whichever holds 99 % of the body."""
    values = np.concatenate([d[i] for d, i in zip(determinants, inside, strict=True)])
    spread = np.percentile(np.abs(np.log2(np.maximum(values, 1e-3))), 99) if values.size else 0.0
    return next((s for s in np.log2([1.25, 1.5, 2, 3]) if spread <= s), 2.0)

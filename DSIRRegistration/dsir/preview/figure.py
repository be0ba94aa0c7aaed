"""The picture beside every result: fixed, moving, warped, outlines, volume change, deformed grid."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from . import panels
from .planes import Plane, planes_through
from .views import Views

BACKGROUND = "#0e1014"
QUIET, TEXT = "#7d8590", "#d5dae1"
INCH_WIDTH, GAP, LEFT, RIGHT, TOP, BOTTOM = 15.0, 0.10, 0.30, 0.10, 0.36, 0.62
"""Inches: the whole width, between panels, and the four borders."""

FACTS = 0.26
"""Inches more at the top where there is a line of figures."""


def views_of(
    fixed: Image,
    moving: Image,
    displacement: DisplacementField,
    *,
    start: Transform | None = None,
    body: torch.Tensor | None = None,
    moving_body: torch.Tensor | None = None,
) -> Views:
    """What pictures show of a registration, in three planes through the fixed body.

    Args:
        displacement: the whole transform, fixed to moving.
        start: what the user gave to begin with; identity by default. Where it leaves the images without common ground,
            the moving image is shown centred instead, and the heading says so.
        body, moving_body: (I, J, K) bool on either grid: what was registered, drawn as an outline; the fixed one is
            found when it is not given.
    """
    body = body_mask(fixed) if body is None else body
    planes = planes_through(fixed.lattice, body)
    return Views(fixed, moving, displacement, start or Transform(), body, moving_body, planes)


def draw(views: Views, facts: Sequence[str] = ()) -> Figure:
    """Three planes in six columns; ``facts`` are short figures for the top line ("no folds", ...)."""
    return compose(panels.overview(views), views.planes, facts)


def write(figure: Figure, target: Path | IO[bytes], *, dpi: int = 130) -> None:
    """Save as PNG; ``dpi``: pixels an inch."""
    figure.savefig(target, format="png", dpi=dpi, facecolor=BACKGROUND)


def inline(figure: Figure, *, dpi: int = 130) -> str:
    """As the address of a picture that lies within the page itself."""
    held = io.BytesIO()
    write(figure, held, dpi=dpi)
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")


def compose(
    views: Sequence[panels.Column],
    planes: Sequence[Plane],
    facts: Sequence[str] = (),
    *,
    width: float = INCH_WIDTH,
) -> Figure:
    """Lay the panels out so that a millimetre is equally long in all of them; letters keep their size in inches."""
    widest = max(plane.size[0] for plane in planes)
    cell = (width - LEFT - RIGHT - GAP * (len(views) - 1)) / len(views)
    scale = cell / widest  # inches for a mm
    heights = [max(plane.size[1] * scale, 0.25) for plane in planes]
    top = TOP + (FACTS if facts else 0)
    height = top + BOTTOM + sum(heights) + GAP * (len(planes) - 1)
    figure = Figure(figsize=(width, height), facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    y = height - top
    for row, plane in enumerate(planes):
        y -= heights[row]
        figure.text(
            0.12 / width, (y + heights[row] / 2) / height, plane.name,
            color=QUIET, size=8, rotation=90, ha="center", va="center",
        )  # fmt: skip
        for column, view in enumerate(views):
            across = plane.size[0] * scale
            x = LEFT + column * (cell + GAP) + (cell - across) / 2
            axes = figure.add_axes((x / width, y / height, across / width, heights[row] / height))
            view.paint(axes, row)
            undress(axes, plane)
            edge_letters(axes, plane.letters, TEXT)
            if column == 0 and row == len(planes) - 1:
                _scale_bar(figure, x, scale)
        y -= GAP
    for column, view in enumerate(views):
        x = LEFT + column * (cell + GAP) + cell / 2
        figure.text(x / width, 1 - (top - 0.14) / height, view.heading, color=TEXT, size=9.5, ha="center")
    figure.text(1 - RIGHT / width, 1 - 0.24 / height, "   ·   ".join(facts), color=QUIET, size=8.5, ha="right")
    for column, view in enumerate(views):
        if isinstance(view, panels.Jacobian):
            x = LEFT + column * (cell + GAP) + 0.15 * cell
            view.legend(figure.add_axes((x / width, 0.34 / height, 0.7 * cell / width, 0.07 / height)))
    return figure


def undress(axes: Axes, plane: Plane) -> None:
    """No frame and no ticks: the panel is the plane, pixel for pixel."""
    rows, columns = plane.points.shape[:2]
    axes.set(xticks=[], yticks=[], xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="auto")
    axes.set_facecolor("black")
    for spine in axes.spines.values():
        spine.set_visible(False)


def edge_letters(axes: Axes, letters: str, colour: str) -> None:
    """The patient's directions at the left, right, top and bottom edge of a panel."""
    sides = ((0.015, 0.5, "left", "center"), (0.985, 0.5, "right", "center"))
    places = (*sides, (0.5, 0.985, "center", "top"), (0.5, 0.015, "center", "bottom"))
    for letter, (x, y, ha, va) in zip(letters, places, strict=True):
        written = axes.text(x, y, letter, transform=axes.transAxes, color=colour, size=7, ha=ha, va=va)
        written.set_path_effects([withStroke(linewidth=1.6, foreground="#00000099")])


def _scale_bar(figure: Figure, x: float, scale: float) -> None:
    """A bar of a round length below the first column; true for every panel."""
    width, height = figure.get_size_inches()
    length = next((n for n in (100, 50, 20, 10, 5) if n * scale < 1.0), 1)
    bottom = 0.40
    ends, level = [x / width, (x + length * scale) / width], [bottom / height] * 2
    bar = Line2D(ends, level, color=TEXT, linewidth=1.6, solid_capstyle="butt", transform=figure.transFigure)
    figure.add_artist(bar)
    figure.text(x / width, (bottom - 0.16) / height, f"{length} mm", color=QUIET, size=7.5, ha="left")

"""The paper's Figure 1: one marked voxel, and where each descriptor sees it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..features.normalise import robust_range
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..preview.figure import undress
from ..preview.planes import Plane, look, planes_through
from .compare import COUNTED, Finding, Partner
from .surroundings import DISTANCES

PLANES = ("axial", "coronal", "sagittal")
NAMES = {"cnn": "CNN (untrained)", "mind": "MIND", "dsir": "DSIR"}

WIDTH, GAP, LEFT, RIGHT, TOP, BOTTOM = 7.2, 0.05, 0.24, 0.02, 0.26, 0.42
"""Inches: two columns of a journal, between panels, and the borders."""

COLOURS = "magma"
SEEN = 4.0
"""mm from the plane within which a match is drawn as lying in it."""


def draw(
    partners: Sequence[Partner],
    findings: Sequence[Sequence[Finding]],
    *,
    plane: str = "axial",
    zoom: float | None = None,
) -> Figure:
    """Rows are partners, columns the image and what each descriptor finds in it.

    A circle is the true place, a cross the best match of the whole volume (a pale one lies out of the plane). All heat
    maps have one scale, cosine 0 to 1.

    Args:
        plane: ``"axial"``, ``"coronal"`` or ``"sagittal"``, through the true place (else the last descriptor's match).
        zoom: mm; the side of a square around it. The whole body by default.
    """
    rows = [_plane(partner, _shown(partner, row), plane, zoom) for partner, row in zip(partners, findings, strict=True)]
    columns = 1 + len(findings[0])
    cell = (WIDTH - LEFT - RIGHT - GAP * (columns - 1)) / columns
    scale = cell / max(row.size[0] for row in rows)
    heights = [row.size[1] * scale for row in rows]
    height = TOP + BOTTOM + sum(heights) + GAP * (len(rows) - 1)
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)
    top = height - TOP
    for partner, row, picture, tall in zip(partners, findings, rows, heights, strict=True):
        top -= tall
        figure.text(
            0.13 / WIDTH, (top + tall / 2) / height, partner.name, size=7.5, rotation=90, ha="center", va="center"
        )
        for column in range(columns):
            wide = picture.size[0] * scale
            x = LEFT + column * (cell + GAP) + (cell - wide) / 2
            axes = figure.add_axes((x / WIDTH, top / height, wide / WIDTH, tall / height))
            if column == 0:
                _anatomy(axes, partner, picture)
            else:
                _heat(axes, row[column - 1], partner, picture)
            undress(axes, picture)
        top -= GAP
    headings = ["image", *(NAMES.get(f.descriptor, f.descriptor) for f in findings[0])]
    for column, heading in enumerate(headings):
        x = LEFT + column * (cell + GAP) + cell / 2
        figure.text(x / WIDTH, 1 - 0.17 / height, heading, size=8.5, ha="center")
    alone = all(finding.answer.alone for row in findings for finding in row)
    _legend(figure, cell, height, "cosine similarity with the marked voxel" if alone else AROUND)
    return figure


def write(figure: Figure, target: Path | IO[bytes], kind: str) -> None:
    """Save as ``"png"`` (300 pixels an inch), ``"pdf"`` or ``"svg"``."""
    figure.savefig(target, format=kind, dpi=300, facecolor="white")


def _shown(partner: Partner, row: Sequence[Finding]) -> np.ndarray:
    return partner.place if partner.place is not None else row[-1].answer.best.point


def _plane(partner: Partner, point: np.ndarray, name: str, zoom: float | None) -> Plane:
    body = body_mask(partner.image) if partner.body is None else partner.body
    found = next(p for p in planes_through(partner.image.lattice, body, point) if p.name == name)
    if zoom is None:
        return found
    near = np.abs(found.points - point).max(-1) <= zoom / 2
    lines, pixels = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    cut = found.points[lines[0] : lines[-1] + 1, pixels[0] : pixels[-1] + 1]
    return Plane(found.name, cut, found.pixel, found.letters, found.position)


def _anatomy(axes: Axes, partner: Partner, plane: Plane) -> None:
    body = body_mask(partner.image) if partner.body is None else partner.body
    low, high = robust_range(partner.image.data, body)
    axes.imshow(np.nan_to_num(look(partner.image, plane.points), nan=low), cmap="gray", vmin=low, vmax=high)
    if partner.place is not None:
        _ring(axes, plane, partner.place, "#ffcf33")
    for letter, (x, y) in zip(plane.letters, ((0.03, 0.5), (0.97, 0.5), (0.5, 0.96), (0.5, 0.04)), strict=True):
        axes.text(x, y, letter, transform=axes.transAxes, color="white", size=5.5, ha="center", va="center", alpha=0.8)


def _heat(axes: Axes, finding: Finding, partner: Partner, plane: Plane) -> None:
    answer = finding.answer
    heat = look(Image(torch.from_numpy(answer.similarity), answer.lattice), plane.points)
    axes.imshow(np.nan_to_num(heat), cmap=COLOURS, vmin=0, vmax=1)
    if partner.place is not None:
        _ring(axes, plane, partner.place, "white")
    x, y, off = _pixel(plane, answer.best.point)
    drawn = axes.plot(x, y, marker="x", ms=4.5, mew=1.1, color="#5ff5e4", alpha=1.0 if off <= SEEN else 0.55)[0]
    drawn.set_path_effects([withStroke(linewidth=2.0, foreground="#000000aa")])
    words = axes.text(0.03, 0.025, _words(finding), transform=axes.transAxes, color="white", size=5.8, va="bottom")
    words.set_path_effects([withStroke(linewidth=1.6, foreground="#000000cc")])


def _words(finding: Finding) -> str:
    rivals = {0: "no rival", 1: "1 rival"}.get(finding.rivals, f"{finding.rivals} rivals")
    if finding.rivals >= COUNTED:
        rivals = f"{COUNTED}+ rivals"
    return rivals if finding.distance is None else f"{finding.distance:.1f} mm off, {rivals}"


def _ring(axes: Axes, plane: Plane, point: np.ndarray, colour: str) -> None:
    x, y, _ = _pixel(plane, point)
    ring = axes.plot(x, y, marker="o", ms=8, mew=1.0, mec=colour, mfc="none")[0]
    ring.set_path_effects([withStroke(linewidth=2.0, foreground="#000000aa")])


def _pixel(plane: Plane, point: np.ndarray) -> tuple[float, float, float]:
    """Column, row and distance in mm of a RAS point from the plane."""
    origin = plane.points[0, 0]
    right = (plane.points[0, 1] - origin) / plane.pixel
    down = (plane.points[1, 0] - origin) / plane.pixel
    offset = np.asarray(point) - origin
    return (
        float(offset @ right) / plane.pixel,
        float(offset @ down) / plane.pixel,
        abs(float(offset @ np.cross(right, down))),
    )


AROUND = f"similarity with the marked voxel and what lies {' and '.join(f'{d:g}' for d in DISTANCES)} mm around it"


def _legend(figure: Figure, cell: float, height: float, shown: str) -> None:
    x = LEFT + cell + GAP
    axes = figure.add_axes((x / WIDTH, 0.27 / height, cell / WIDTH, 0.07 / height))
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), COLOURS), cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)
    bar.set_ticks([0, 0.5, 1])
    bar.ax.tick_params(length=0, labelsize=6, pad=2)
    lines = (
        shown,
        "○ its true place    × best match in the whole volume (pale: out of the plane)",
    )
    for line, words in enumerate(lines):
        figure.text((x + cell + 0.15) / WIDTH, (0.27 - 0.14 * line) / height, words, size=6, va="bottom")

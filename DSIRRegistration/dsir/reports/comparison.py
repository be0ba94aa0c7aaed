"""The page of two registrations compared: a table and where they differ, in three planes."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..files.atomic import complete_file
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..geometry.windows import fitting_window
from ..preview.figure import BACKGROUND, compose
from ..preview.planes import look, planes_through
from .templating import render

SCALES = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
"""mm at the brightest colour; the first that holds 99 % of the body."""


@dataclass(frozen=True)
class Heat:
    """Distance over the dimmed fixed scan."""

    heading: str
    pictures: Sequence[np.ndarray]
    lengths: Sequence[np.ndarray]
    top: float

    def paint(self, axes: Axes, row: int) -> None:
        """Grey values 0..1 below, colours above."""
        axes.imshow(0.6 * self.pictures[row], cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="bilinear")
        shown = np.clip(self.lengths[row] / self.top, 0, 1)
        axes.imshow(shown, cmap="inferno", vmin=0, vmax=1, alpha=np.clip(1.5 * shown, 0, 0.9), aspect="auto")


@dataclass(frozen=True)
class Plain:
    """The fixed scan as it is."""

    heading: str
    pictures: Sequence[np.ndarray]

    def paint(self, axes: Axes, row: int) -> None:
        """Grey values 0..1."""
        axes.imshow(self.pictures[row], cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="bilinear")


def write_comparison(path: Path, length: Image, fixed: Image, report: Mapping[str, Any]) -> None:
    """Write the page, whole or not at all.

    Args:
        length: mm between the two places of each fixed point.
        report: as ``compare.json`` holds it.
    """
    body = body_mask(fixed)
    planes = planes_through(fixed.lattice, body)
    low, high = fitting_window(fixed.data.numpy(), body.numpy())
    still = [np.clip((look(fixed, plane.points) - low) / max(high - low, 1e-6), 0, 1) for plane in planes]
    lengths = [np.nan_to_num(look(length, plane.points)) for plane in planes]
    most = float(np.percentile(length.data[body].numpy(), 99))
    top = next((scale for scale in SCALES if most <= scale), SCALES[-1])
    figure = compose([Plain("fixed", still), Heat(f"distance, bright: {top:g} mm", still, lengths, top)], planes)
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=80, facecolor=BACKGROUND)
    text = render(
        "comparison.html.j2",
        date=date.today().isoformat(),
        names={role: report["inputs"][role]["name"] for role in ("first", "second")},
        regions=report["regions"],
        picture="data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii"),
        top=f"{top:g}",
        command=report.get("command_line", ""),
    )
    with complete_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

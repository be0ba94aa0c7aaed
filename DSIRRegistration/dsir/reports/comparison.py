"""The page of two registrations compared: a table and where they differ, in three planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes

from ..files.atomic import write_text
from ..geometry.image import Image
from ..geometry.windows import fitting_window
from ..preview.figure import compose, inline
from ..preview.panels import Grey
from ..preview.planes import look, planes_through
from ..preview.views import grey
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


def write_comparison(path: Path, length: Image, fixed: Image, body: torch.Tensor, report: Mapping[str, Any]) -> None:
    """Write the page, whole or not at all.

    Args:
        length: mm between the two places of each fixed point.
        body: (I, J, K) bool on the fixed grid.
        report: as ``compare.json`` holds it.
    """
    planes = planes_through(fixed.lattice, body)
    window = fitting_window(fixed.data.numpy(), body.numpy())
    still = grey([look(fixed, plane.points) for plane in planes], window)
    lengths = [np.nan_to_num(look(length, plane.points)) for plane in planes]
    most = float(np.percentile(length.data[body].numpy(), 99))
    top = next((scale for scale in SCALES if most <= scale), SCALES[-1])
    figure = compose([Grey("fixed", still), Heat(f"distance, bright: {top:g} mm", still, lengths, top)], planes)
    text = render(
        "comparison.html.j2",
        date=date.today().isoformat(),
        names={role: report["inputs"][role]["name"] for role in ("first", "second")},
        regions=report["regions"],
        picture=inline(figure, dpi=80),
        top=f"{top:g}",
        command=report.get("command_line", ""),
    )
    write_text(path, text)

"""Does the light, set without reference contours, turn where the contours are wrong?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from dsir.structures.verdict import Light, Verdict, judge
from rich.table import Table

HELD_BACK = ("dice", "surface_dice", "hd95_mm", "surface_distance_mm")


def blind(verdict: Verdict, slice_mm: float) -> Verdict:
    """The verdict as it would be without reference contours."""
    return judge(verdict.carried, replace(verdict.measures, **dict.fromkeys(HELD_BACK)), slice_mm=slice_mm)


def lights_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """For each method the structures by the light they get without reference, with their surface Dice with it."""
    table = Table(
        "registration", "structures", *(f"{light.name.lower()}: n, surface Dice" for light in Light), title=title
    )
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        table.add_row(method, str(len(mine)), *(_cell(mine, light.name.lower()) for light in Light))
    return table


def _cell(rows: Sequence[dict[str, Any]], light: str) -> str:
    """Count, then mean (least to largest) surface Dice."""
    values = [row["surface_dice"] or 0.0 for row in rows if row["blind"] == light]
    if not values:
        return "–"
    return f"{len(values)}, {np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"

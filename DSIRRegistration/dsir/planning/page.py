"""``report.html`` of a plan: what was chosen and why, the verdicts, the dose, and which file is what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ..files.atomic import write_text
from ..reports.registration.facts import MEANINGS
from ..reports.structures.page import SIGNS
from ..reports.templating import render
from ..structures.verdict import Verdict
from .doses import ERROR, DoseRow, DoseTable

WIDTH, HEIGHT = 680, 300
"""Of the plot, in its own units."""


def write_page(
    path: Path, report: Mapping[str, Any], verdicts: Sequence[Verdict] | None, doses: DoseTable | None
) -> None:
    """Write the page, whole or not at all.

    Args:
        report: as ``plan.json`` holds it.
        verdicts: of the contours; None where none were propagated.
    """
    text = render(
        "plan.html.j2",
        date=date.today().isoformat(),
        plan=report["plan"],
        verdict=report["verdict"],
        words=MEANINGS,
        warnings=report["warnings"],
        files=report["files"],
        lights=_lights(verdicts or ()),
        doses=[] if doses is None else [_dose_row(row, doses.unit) for row in doses.rows],
        plot=None if doses is None else _plot(doses),
        unit="" if doses is None else doses.unit,
        error=f"{ERROR:g}",
        command=report.get("command_line", ""),
        versions=" · ".join(f"{name} {number}" for name, number in report["versions"].items()),
    )
    write_text(path, text)


def _lights(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    ordered = sorted(verdicts, key=lambda verdict: -verdict.light)
    return [{**v.to_json(), "sign": SIGNS[v.light], "reasons": " ".join(v.reasons)} for v in ordered]


def _dose_row(row: DoseRow, unit: str) -> dict[str, str]:
    def figure(pick: str, *arguments: float, form: str = "{:.1f}") -> str:
        found = []
        for one in (row.before, row.after):
            value = None if one is None else getattr(one, pick)
            value = value(*arguments) if callable(value) else value
            found.append("–" if value is None else form.format(value))
        return " → ".join(found)

    spread = "" if row.lowest is None else f"{row.lowest:.1f} to {row.highest:.1f}"
    return {
        "name": row.name,
        "colour": "rgb({}, {}, {})".format(*row.colour),
        "volume": figure("volume"),
        "mean": figure("mean"),
        "spread": spread,
        "d95": figure("dose_to", 95.0),
        "d2": figure("dose_to", 2.0),
        "v20": figure("volume_above", 20.0, form="{:.0f}") if unit == "Gy" else "",
    }


def _plot(table: DoseTable) -> dict[str, Any]:
    """Curves as SVG paths: as drawn thin and dashed, propagated thick, the band around it."""
    top = float(table.at[-1])
    across = lambda dose: 46 + (WIDTH - 60) * dose / top  # noqa: E731
    down = lambda percent: 10 + (HEIGHT - 46) * (1 - percent / 100)  # noqa: E731
    curves = []
    for row in table.rows:
        paths = {}
        for name, one in (("before", row.before), ("after", row.after)):
            if one is not None:
                values = one.curve(table.at)
                paths[name] = "M" + " L".join(
                    f"{across(d):.1f},{down(v):.1f}" for d, v in zip(table.at, values, strict=True)
                )
        if row.band is not None:
            there = [f"{across(d):.1f},{down(v):.1f}" for d, v in zip(table.at, row.band[0], strict=True)]
            back = [f"{across(d):.1f},{down(v):.1f}" for d, v in zip(table.at[::-1], row.band[1][::-1], strict=True)]
            paths["band"] = "M" + " L".join(there + back) + " Z"
        curves.append({"name": row.name, "colour": "rgb({}, {}, {})".format(*row.colour), **paths})
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100) if top / s <= 8), 200)
    ticks = [(across(d), f"{d:g}") for d in range(0, int(top) + 1, step)]
    return {
        "width": WIDTH, "height": HEIGHT, "curves": curves, "ticks": ticks,
        "levels": [(down(p), str(p)) for p in (0, 25, 50, 75, 100)], "left": across(0), "right": across(top),
        "bottom": down(0), "top": down(100),
    }  # fmt: skip

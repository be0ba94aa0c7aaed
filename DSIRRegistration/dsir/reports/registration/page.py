"""``report.html``: one file without scripts or links, that prints to two pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ...files.atomic import write_text
from ...preview import panels
from ...preview.figure import compose, inline
from ...preview.views import Views
from ..templating import render
from .facts import MEANINGS, facts_of, warnings_beside_verdict

WIDTH, DPI = 11.0, 160
"""Inches and pixels an inch of the pictures; narrower than the preview, so that their words can be read on paper."""


@dataclass(frozen=True)
class Shown:
    """One figure of the page."""

    heading: str
    source: str
    alt: str
    caption: str


def write_page(path: str | Path, report: Mapping[str, Any], views: Views) -> None:
    """Write :func:`page`; whole under its name, or not at all."""
    write_text(path, page(report, views))


def page(report: Mapping[str, Any], views: Views) -> str:
    """HTML of one registration; pictures lie inside.

    Args:
        report: as ``report.json`` holds it.
        views: of the pair and its transform.
    """
    before = compose(panels.comparison(views), views.planes, width=WIDTH)
    after = compose(panels.change(views), views.planes, width=WIDTH)
    inputs = report.get("inputs") or {}
    shown = [_input(role, found, report) for role, found in inputs.items()]
    return render(
        "registration.html.j2",
        names={role: (inputs.get(role) or {}).get("name", f"the {role} scan") for role in ("fixed", "moving")},
        date=date.today().isoformat(),
        verdict=report.get("verdict"),
        words=MEANINGS,
        warnings=warnings_beside_verdict(report),
        facts=facts_of(report),
        figures=[
            Shown(
                "Before and after",
                inline(before, dpi=DPI),
                "Fixed scan, moving scan before and after, checkerboards before and after, in three planes",
                "Radiological view: R and L are the patient's. In the checkerboards the bluish squares are the moving "
                "scan; structures must run on across their borders.",
            ),
            Shown(
                "Where structures meet, and how tissue was moved",
                inline(after, dpi=DPI),
                "Outlines of the fixed scan on the registered one, regions registered, volume change, deformed grid",
                "Amber: outlines of the fixed scan. Blue line: the region that was registered. Volume change: blue "
                "where the moving scan's tissue is smaller, amber where it is larger.",
            ),
        ],
        inputs=shown,
        has_series=any(each["series"] for each in shown),
        provenance=_provenance(report),
        command=report.get("command_line", ""),
        settings=json.dumps(report.get("settings", {}), indent=1),
    )


def _input(role: str, found: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, str]:
    series = (report.get("series") or {}).get(role) or {}
    said = " ".join(str(series[key]) for key in ("modality", "description") if series.get(key))
    if series.get("series"):
        said += f" (series {series['series']}, frame {series['frame'] or 'not said'})"
    size = f"{found['bytes'] / 1e6:.1f} MB" if found["bytes"] >= 1e5 else f"{found['bytes'] / 1e3:.0f} kB"
    size += f" in {found['files']} files" if "files" in found else ""
    return {
        "role": role.replace("_", " "),
        "name": str(found["name"]),
        "series": said,
        "size": size,
        "sha256": str(found["sha256"])[:16],
    }


def _provenance(report: Mapping[str, Any]) -> str:
    versions = " · ".join(f"{name} {number}" for name, number in (report.get("versions") or {}).items())
    made_by = report.get("descriptor") or {}
    weights = f" · weights {made_by['sha256'][:16]}" if made_by.get("sha256") else ""
    return f"{versions} · descriptor {made_by.get('descriptor', 'not said')}{weights}"

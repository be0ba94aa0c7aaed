"""A registration as a notebook shows it."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

from .. import preview
from ..geometry.image import Image
from ..registration.register import RegistrationResult
from ..transforms.composite import Transform
from ..workflow.result import preview_facts

COLOURS = {"PASS": "#1a7f37", "CHECK": "#9a6700", "FAIL": "#cf222e"}
"""Of a verdict; white on each has a contrast of 4.5 and more."""


def page(fixed: Image, moving: Image, found: RegistrationResult, initial: Transform | None) -> str:
    """HTML of a verdict, warnings, the picture and the figures; the picture is within it."""
    parts = [_verdict(found.report.get("verdict"))]
    parts += [f"<p><b>Note:</b> {escape(sentence)}</p>" for sentence in found.report.get("warnings", ())]
    figure = preview.draw(
        fixed,
        moving,
        found.displacement(fixed.lattice),
        start=initial,
        body=found.masks[0] if found.masks else None,
        moving_body=found.masks[1] if found.masks else None,
        facts=preview_facts(found.report),
    )
    held = io.BytesIO()
    preview.write(figure, held)
    picture = base64.b64encode(held.getvalue()).decode()
    parts.append(
        '<img style="max-width:100%" alt="Fixed, moving and warped scan in three planes" '
        f'src="data:image/png;base64,{picture}">'
    )
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows(found.report)
    )
    parts.append(f"<table>{cells}</table>")
    return "<div>" + "".join(parts) + "</div>"


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures that people ask for first, as words."""
    found = []
    linear, similarity = report.get("linear", {}), report.get("similarity", {})
    if "model" in linear:
        moved = f"{linear['model']}: shift {linear['shift_mm']:.1f} mm, turn {linear['turn_deg']:.1f}°"
        if linear["model"] in ("similarity", "affine"):
            moved += f", scale {linear['scale_percent']:+.1f} %"
        found.append(("Linear part", "none" if linear["model"] == "none" else moved))
    found.append(("Deformation", "yes" if report.get("deformation", {}).get("kept") else "no"))
    if similarity.get("start") is not None and similarity.get("end") is not None:
        found.append(("Similarity (mean cosine)", f"{similarity['start']:.2f} → {similarity['end']:.2f}"))
    found.append(("Folded voxels", str(report["folds"])))
    found.append(("Body that both scans show", f"{100 * report['coverage']:.0f} %"))
    found.append(("Time", f"{sum(v for k, v in report['seconds'].items() if k != 'total'):.0f} s"))
    return found


def _verdict(verdict: dict[str, Any] | None) -> str:
    if verdict is None:
        return ""
    level = str(verdict["level"])
    style = f"background:{COLOURS.get(level, '#57606a')};color:#fff;padding:2px 8px;border-radius:4px"
    reasons = (reason["text"] if isinstance(reason, dict) else str(reason) for reason in verdict.get("reasons", ()))
    return f'<p><b style="{style}">{escape(level)}</b> {" ".join(map(escape, reasons))}</p>'

"""A registration as a notebook shows it."""

from __future__ import annotations

from html import escape
from typing import Any

from .. import preview
from ..geometry.image import Image
from ..registration.register import RegistrationResult
from ..reports.registration.facts import facts_of, warnings_beside_verdict
from ..transforms.composite import Transform
from ..workflow.result import preview_facts

COLOURS = {"PASS": "#1a7f37", "CHECK": "#9a6700", "FAIL": "#cf222e"}
"""Of a verdict; white on each has a contrast of 4.5 and more."""


def page(fixed: Image, moving: Image, found: RegistrationResult, initial: Transform | None) -> str:
    """HTML of a verdict, warnings, the picture and the figures; the picture is within it."""
    parts = [_verdict(found.report.get("verdict"))]
    parts += [f"<p><b>Note:</b> {escape(sentence)}</p>" for sentence in warnings_beside_verdict(found.report)]
    body, moving_body = found.masks or (None, None)
    views = preview.views_of(
        fixed, moving, found.displacement(fixed.lattice), start=initial, body=body, moving_body=moving_body
    )
    picture = preview.inline(preview.draw(views, preview_facts(found.report)))
    parts.append(f'<img style="max-width:100%" alt="Fixed, moving and warped scan in three planes" src="{picture}">')
    cells = "".join(
        f'<tr><th style="text-align:left" title="{escape(fact.meaning)}">{escape(fact.name)}</th>'
        f'<td style="text-align:left">{escape(fact.value)}</td></tr>'
        for fact in facts_of(found.report)
    )
    parts.append(f"<table>{cells}</table>")
    return "<div>" + "".join(parts) + "</div>"


def _verdict(verdict: dict[str, Any] | None) -> str:
    if verdict is None:
        return ""
    level = str(verdict["level"])
    style = f"background:{COLOURS.get(level, '#57606a')};color:#fff;padding:2px 8px;border-radius:4px"
    reasons = (reason["text"] if isinstance(reason, dict) else str(reason) for reason in verdict.get("reasons", ()))
    return f'<p><b style="{style}">{escape(level)}</b> {" ".join(map(escape, reasons))}</p>'

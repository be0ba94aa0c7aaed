"""PASS, CHECK or FAIL at the top of the panel, with the engine's reasons; from the report's data."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from slicer.i18n import tr as _

LOOKS = {
    "PASS": ("#1b5e20", "#e3f1e4", _("nothing speaks against it; look at the outlines all the same")),
    "CHECK": ("#7a4a00", "#fdf1dc", _("look before you use it")),
    "FAIL": ("#b71c1c", "#fbe4e4", _("do not use it")),
}
"""Level to the colour of its words, of its ground, and what to do."""


EARLIER = ("#5a5a5a", "#eeeeee")
"""Colour and ground of a result that the last run was to replace, and did not."""


def headline(name: str, verdict: Mapping[str, Any], *, earlier: bool = False) -> str:
    """Rich text: the level in its colour, what to do, each reason on a line; in grey for an ``earlier`` result."""
    colour, ground, advice = LOOKS[verdict["level"]]
    if earlier:
        (colour, ground), advice = EARLIER, _("for the earlier result; the last run made none")
    lines = "".join(
        f"<tr><td style='color:{LOOKS[reason['level']][0]}'><b>{reason['level']}</b>&nbsp;</td>"
        f"<td>{html.escape(reason['text'])}</td></tr>"
        for reason in verdict["reasons"]
    )
    reasons = f"<table style='margin-top:4px'>{lines}</table>" if lines else ""
    return (
        f"<table width='100%' cellpadding='6' style='background-color:{ground}'><tr><td style='color:#202020'>"
        f"<span style='color:{colour}; font-size:large'><b>{verdict['level']}</b></span> "
        f"<span style='color:{colour}'>{html.escape(advice)}</span><br/>"
        f"<span style='color:#5a5a5a'>{html.escape(name)}</span>{reasons}</td></tr></table>"
    )

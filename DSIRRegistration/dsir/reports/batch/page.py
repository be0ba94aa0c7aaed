"""The page a person looks through: one file, each pair with its picture, the bad ones first."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from datetime import date
from html import escape
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from ... import __version__
from .rows import Row, State
from .style import SORT, STYLE

WIDTH = 640
"""Pixels of a thumbnail; shown at half of it."""

ORDER = (State.FAILED, State.LEFT, State.DONE, State.KEPT)
WORDS = {
    State.FAILED: "failed",
    State.LEFT: "not come to",
    State.DONE: "done",
    State.KEPT: "kept from an earlier run",
}
HEADS = ("", "pair", "similarity", "Dice", "folds", "SD log J", "inverse mm", "coverage", "seconds")


def page(rows: Sequence[Row]) -> str:
    """The whole page; pictures lie inside, and lead to the pairs' own previews beside it."""
    counts = Counter(row.state for row in rows)
    chips = "".join(
        f'<span class="chip {state.value}">{counts[state]} {WORDS[state]}</span>' for state in ORDER if counts[state]
    )
    ordered = sorted(rows, key=lambda row: ORDER[:2].index(row.state) if row.state in ORDER[:2] else 2)
    with_dice = any(row.dice_end is not None for row in rows)
    heads = "".join(f"<th>{head}</th>" for head in HEADS if head != "Dice" or with_dice)
    body = "\n".join(_line(row, with_dice) for row in ordered)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Batch of {len(rows)} pairs</title><style>{STYLE}</style></head>\n<body><main>\n"
        f"<h1>Batch of {len(rows)} pairs</h1><p class='date'>{date.today().isoformat()} · dsir {__version__}</p>"
        f"<p>{chips}</p><p class='remark'>A smooth field without folds can be wrong: look at the outlines. Click a "
        "heading to sort, a picture to see it whole. For research; not a medical device.</p>\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table>\n"
        f"</main><script>{SORT}</script></body></html>\n"
    )


def _line(row: Row, with_dice: bool) -> str:
    name = f"<b>{escape(row.name)}</b><span class='state {row.state.value}'>{WORDS[row.state]}</span>"
    if row.verdict:
        name += f"<span class='state {row.verdict.lower()}'>{row.verdict}</span>"
    if row.reasons:
        name += f"<p class='warning'>{escape(row.reasons)}</p>"
    if row.error or row.warnings:
        kind = "error" if row.error else "warning"
        name += f"<p class='{kind}'>{escape(row.error or row.warnings)}</p>"
    figures = [
        _pair(row.similarity_start, row.similarity_end),
        *([_pair(row.dice_start, row.dice_end)] if with_dice else []),
        _cell(row.folds, "d", bad=bool(row.folds)),
        _cell(row.sd_log_j, ".3f"),
        _cell(row.inverse_p95_mm, ".2f"),
        _cell(row.coverage, ".0%"),
        _cell(row.seconds, ".0f"),
    ]
    return f"<tr><td class='picture'>{_picture(row)}</td><td class='name'>{name}</td>{''.join(figures)}</tr>"


def _cell(value: float | None, form: str, *, bad: bool = False) -> str:
    if value is None:
        return "<td></td>"
    return f"<td data-value='{value}'{' class=bad' if bad else ''}>{value:{form}}</td>"


def _pair(before: float | None, after: float | None) -> str:
    if after is None:
        return "<td></td>"
    start = f"<em>{before:.2f} →</em> " if before is not None else ""
    return f"<td data-value='{after}'>{start}{after:.2f}</td>"


def _picture(row: Row) -> str:
    if not row.folder:
        return ""
    preview = Path(row.folder) / "preview.png"
    try:
        from PIL import Image

        with Image.open(preview) as whole:
            small = whole.convert("RGB")
            small.thumbnail((WIDTH, WIDTH))
        stream = BytesIO()
        small.save(stream, format="JPEG", quality=82)
    except (ImportError, OSError):
        return ""
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    link = f"{quote(preview.parent.name)}/{preview.name}"
    return f"<a href='{link}'><img alt='{escape(row.name)}' src='data:image/jpeg;base64,{data}'></a>"

"""The page a person looks through: one file, each pair with its picture, the bad ones first."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from ..registration.facts import WORDS as FACTS
from ..registration.facts import two
from ..templating import render
from .rows import Row, State

WIDTH = 800
"""Pixels of a thumbnail; shown at half of it."""

STATES = {
    State.FAILED: "failed",
    State.LEFT: "not come to",
    State.DONE: "done",
    State.KEPT: "kept from an earlier run",
}
VERDICTS = ("FAIL", "CHECK", "PASS")
PAGES = ("report.html", "preview.png")
"""What a case's row leads to: the first that its folder holds."""

PICTURES = ("preview.png", "registration/preview.png")
"""Of a pair, and of a plan."""


@dataclass(frozen=True)
class Cell:
    """A figure; ``value`` is what the column is sorted by, None where there is nothing."""

    text: str = ""
    value: float | None = None
    before: str = ""
    bad: bool = False


@dataclass(frozen=True)
class Shown:
    """A case as the page shows it: its row, and what is told of it in words, a picture and figures."""

    row: Row
    words: str
    made: str
    picture: str
    link: str
    cells: Sequence[Cell]


def page(rows: Sequence[Row], heading: str = "", facts: Sequence[tuple[str, str]] = ()) -> str:
    """The whole page; thumbnails lie inside, and lead to the cases' own pages beside it.

    Args:
        heading: by default how many cases there are.
        facts: name and value of what all cases share. Rows then keep their order, for they are a series.
    """
    with_dice = any(row.dice_end is not None for row in rows)
    return render(
        "batch.html.j2",
        date=date.today().isoformat(),
        chips=_chips(rows),
        columns=_columns(with_dice),
        cases=[_shown(row, with_dice) for row in (rows if facts else sorted(rows, key=_urgency))],
        heading=heading or f"Batch of {len(rows)} cases",
        facts=facts,
    )


def _urgency(row: Row) -> int:
    """Small for what a person has to look at first."""
    if row.state in (State.FAILED, State.LEFT):
        return (State.FAILED, State.LEFT).index(row.state)
    return 2 + (VERDICTS.index(row.verdict) if row.verdict in VERDICTS else len(VERDICTS))


def _chips(rows: Sequence[Row]) -> list[tuple[str, int, str]]:
    """Kind, how many there are of it, and its word."""
    states, verdicts = Counter(row.state for row in rows), Counter(row.verdict for row in rows)
    found = [(state.value, states[state], words) for state, words in STATES.items()]
    found += [(level.lower(), verdicts[level], level) for level in VERDICTS]
    return [chip for chip in found if chip[1]]


def _columns(with_dice: bool) -> list[tuple[str, str]]:
    """Headings, each with what it means in the term of the field."""
    return [
        FACTS["similarity"],
        *([("Dice", "mean Dice coefficient of the labels, before and after")] if with_dice else []),
        FACTS["folds"],
        FACTS["unevenness"],
        ("There and back, mm", FACTS["inverse"][1]),
        FACTS["coverage"],
        ("Seconds", "of the registration"),
    ]


def _shown(row: Row, with_dice: bool) -> Shown:
    cells = [
        _change(row.similarity_start, row.similarity_end),
        *([_change(row.dice_start, row.dice_end)] if with_dice else []),
        _cell(row.folds, "d", bad=bool(row.folds)),
        _cell(row.sd_log_j, ".3f"),
        _cell(row.inverse_p95_mm, ".2f"),
        _cell(row.coverage, ".0%"),
        _cell(row.seconds, ".0f"),
    ]
    return Shown(row, STATES[row.state], _made(row), _picture(row), _link(row), cells)


def _made(row: Row) -> str:
    """How the case was done, where that is not the same for all."""
    preset = f"preset {row.preset}" if row.preset else ""
    start = f"begun from {row.start}" if row.start else ""
    return "; ".join(part for part in (preset, start, row.contours) if part)


def _cell(value: float | None, form: str, *, bad: bool = False) -> Cell:
    return Cell() if value is None else Cell(format(value, form), value, bad=bad)


def _change(before: float | None, after: float | None) -> Cell:
    if after is None:
        return Cell()
    worse = before is not None and after < before
    return Cell(two(after), after, "" if before is None else two(before), worse)


def _link(row: Row) -> str:
    if not row.folder:
        return ""
    folder = Path(row.folder)
    return next((f"{quote(folder.name)}/{name}" for name in PAGES if (folder / name).is_file()), "")


def _picture(row: Row) -> str:
    if not row.folder:
        return ""
    for name in PICTURES:
        file = Path(row.folder) / name
        if file.is_file():
            return _thumbnail(file, file.stat().st_mtime_ns)
    return ""


@cache
def _thumbnail(file: Path, changed: int) -> str:
    """Data URL; kept, since a growing page shows the same pictures again after each case."""
    try:
        from PIL import Image

        with Image.open(file) as whole:
            small = whole.convert("RGB")
            small.thumbnail((WIDTH, WIDTH))
        stream = BytesIO()
        small.save(stream, format="JPEG", quality=82)
    except (ImportError, OSError):
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")

"""What came of each pair, as a table for programs and a page for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from ..files.atomic import complete_file
from .finished import read_report

TABLE, PAGE = "results.csv", "results.html"


class State(str, Enum):
    """Of a pair: registered now, registered by an earlier run, without a result, or not come to."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    LEFT = "left"


@dataclass(frozen=True)
class Row:
    """One pair.

    Attributes:
        error: why it failed.
        similarity_start, similarity_end: mean cosine in the fixed body.
        dice_start, dice_end: mean over the labels, where both sides had them.
        inverse_p95_mm: what the inverse transform misses at 95 % of the points.
        coverage: share of the fixed body that has a counterpart.
        seconds: of the registration.
        warnings: sentences, joined.
        folder: where the result lies.
    """

    name: str
    state: State
    error: str = ""
    similarity_start: float | None = None
    similarity_end: float | None = None
    dice_start: float | None = None
    dice_end: float | None = None
    folds: int | None = None
    sd_log_j: float | None = None
    inverse_p95_mm: float | None = None
    coverage: float | None = None
    seconds: float | None = None
    warnings: str = ""
    folder: str = ""


def row(name: str, state: State, folder: Path, error: str = "") -> Row:
    """A pair's row; the figures are those of its report."""
    report = read_report(folder) if state in (State.DONE, State.KEPT) else None
    if report is None:
        return Row(name, state, error)
    similarity, dice = report.get("similarity") or {}, report.get("dice") or {}
    return Row(
        name,
        state,
        error,
        similarity_start=similarity.get("start"),
        similarity_end=similarity.get("end"),
        dice_start=(dice.get("before") or {}).get("mean"),
        dice_end=(dice.get("after") or {}).get("mean"),
        folds=report.get("folds"),
        sd_log_j=report.get("sd_log_j"),
        inverse_p95_mm=(report.get("inverse_error") or {}).get("p95"),
        coverage=report.get("coverage"),
        seconds=(report.get("seconds") or {}).get("total"),
        warnings=" ".join(report.get("warnings") or ()),
        folder=str(folder),
    )


def write_table(out: Path, rows: Sequence[Row]) -> None:
    """``results.csv`` and ``results.html`` in ``out``, each whole or not at all."""
    from ..reports.batch.page import page

    text = io.StringIO()
    table = csv.DictWriter(text, list(Row.__dataclass_fields__), lineterminator="\n")
    table.writeheader()
    table.writerows({**asdict(each), "state": each.state.value} for each in rows)
    with complete_file(out / TABLE) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    with complete_file(out / PAGE) as temporary:
        temporary.write_text(page(rows), encoding="utf-8")

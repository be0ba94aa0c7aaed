"""A pair's row of the table, from the report that its registration left."""

from __future__ import annotations

from pathlib import Path

from ..files.report import read_report
from ..reports.batch.rows import Row, State
from ..reports.registration.facts import warnings_beside_verdict


def row(name: str, state: State, folder: Path, error: str = "") -> Row:
    """A pair's row; the figures are those of its report."""
    report = read_report(folder / "report.json") if state in (State.DONE, State.KEPT) else {}
    if not report:
        return Row(name, state, error)
    similarity, dice = report.get("similarity") or {}, report.get("dice") or {}
    return Row(
        name,
        state,
        error,
        verdict=(report.get("verdict") or {}).get("level", ""),
        reasons=" ".join(reason["text"] for reason in (report.get("verdict") or {}).get("reasons", ())),
        similarity_start=similarity.get("start"),
        similarity_end=similarity.get("end"),
        dice_start=(dice.get("before") or {}).get("mean"),
        dice_end=(dice.get("after") or {}).get("mean"),
        folds=report.get("folds"),
        sd_log_j=report.get("sd_log_j"),
        inverse_p95_mm=(report.get("inverse_error") or {}).get("p95"),
        coverage=report.get("coverage"),
        seconds=(report.get("seconds") or {}).get("total"),
        warnings=" ".join(warnings_beside_verdict(report)),
        folder=str(folder),
    )

"""What came of each case of a batch: one row of its table and of its page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class State(str, Enum):
    """Of a case: done now, done by an earlier run, without a result, or not come to."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    LEFT = "left"


@dataclass(frozen=True)
class Row:
    """One pair, or one patient.

    Attributes:
        error: why it failed.
        verdict: PASS, CHECK or FAIL of the registration; reasons: sentences, joined.
        similarity_start, similarity_end: mean cosine in the fixed body.
        dice_start, dice_end: mean over the labels, where both sides had them.
        inverse_p95_mm: what the inverse transform misses at 95 % of the points.
        coverage: share of the fixed body that has a counterpart.
        seconds: of the registration.
        warnings: sentences that the reasons do not say already, joined.
        contours: how many lights of each colour, where contours were propagated.
        start: the scan of a series from whose result this one was begun.
        preset: that was chosen, where each case has its own.
        folder: where the result lies.
    """

    name: str
    state: State
    error: str = ""
    verdict: str = ""
    reasons: str = ""
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
    contours: str = ""
    start: str = ""
    preset: str = ""
    folder: str = ""

    def to_json(self) -> dict[str, Any]:
        """For tables and programs."""
        return {**asdict(self), "state": self.state.value}

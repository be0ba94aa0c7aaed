"""Results of the session as text and state of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..pairs import Pair

COLOURS = {"PASS": "#4cd187", "CHECK": "#ffb84d", "FAIL": "#ff8a8a"}
"""Of a verdict, on the dark panel."""


def result_sentence(report: Mapping[str, Any], done: str) -> str:
    """What came of a registration, in one line.

    >>> result_sentence({"folds": 0, "similarity": {"start": 0.25, "end": 0.75}}, "Registered")
    'Registered: 0 folds, similarity 0.25 before, 0.75 after.'
    """
    words = [f"{done}: {report.get('folds', 0)} folds"]
    similar, pairs = report.get("similarity") or {}, report.get("landmarks")
    if {"start", "end"} <= set(similar):
        words.append(f"similarity {similar['start']:.2f} before, {similar['end']:.2f} after")
    if pairs:
        words.append(f"pairs {pairs['before']['mean_mm']:.1f} → {pairs['after']['mean_mm']:.1f} mm")
    return ", ".join(words) + "."


def verdict_state(report: Mapping[str, Any]) -> dict[str, Any]:
    """Level, reasons and colour for the page; empty where nothing was judged."""
    verdict = report.get("verdict") or {}
    level = verdict.get("level", "")
    reasons = [reason["text"] for reason in verdict.get("reasons", ())]
    return {"dsir_verdict": level, "dsir_reasons": reasons, "dsir_colour": COLOURS.get(level, "#fff")}


def pair_rows(pairs: Sequence[Pair], missed: np.ndarray | None) -> list[dict[str, str]]:
    """The list of accepted pairs, with how far each lies from the present result where there is one."""
    apart = [""] * len(pairs) if missed is None else [f"{mm:.1f} mm" for mm in missed]
    return [
        {"name": pair.name, "chance": f"{100 * pair.confidence:.0f} %", "apart": away}
        for pair, away in zip(pairs, apart, strict=True)
    ]

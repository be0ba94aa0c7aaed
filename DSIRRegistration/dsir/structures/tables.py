"""The verdicts for programs: one row a structure (CSV), everything with its thresholds (JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..files import tables
from .verdict import THRESHOLDS, Verdict


def row(verdict: Verdict) -> dict[str, Any]:
    """One structure, flat."""
    return {
        "name": verdict.name,
        "light": verdict.light.name.lower(),
        **asdict(verdict.measures),
        "reasons": " ".join(verdict.reasons),
    }


def facts(verdicts: Sequence[Verdict], remarks: Sequence[str], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """JSON-ready: structures, what was left out, the thresholds and their sources."""
    return {
        "structures": [{**row(v), "reasons": list(v.reasons), "role": v.carried.structure.role.kind} for v in verdicts],
        "remarks": list(remarks),
        "thresholds": [asdict(t) for t in THRESHOLDS],
        **(more or {}),
    }


def write_table(path: str | Path, verdicts: Sequence[Verdict]) -> None:
    """Write the CSV: lengths in mm, volumes in ml, shares from 0 to 1; empty where there is nothing to measure."""
    rows = [{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row(one).items()} for one in verdicts]
    tables.write_table(path, list(rows[0]) if rows else ["name", "light"], rows)

"""A result's verdict as data: the engine's of the run, and the engine's of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ORDER = ("PASS", "CHECK", "FAIL")


def worse(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two verdicts as one: the worse level, and the reasons of both, the worst first."""
    level = max((first["level"], second["level"]), key=ORDER.index)
    reasons = {reason["code"]: reason for reason in (*first["reasons"], *second["reasons"])}
    return {"level": level, "reasons": sorted(reasons.values(), key=lambda reason: -ORDER.index(reason["level"]))}


def verdict_of(report: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is known of a result: the run's own verdict, and that of an evaluation where there was one."""
    found = [part["verdict"] for part in (report, evaluation) if part.get("verdict")]
    if not found:
        return None
    return worse(*found) if len(found) == 2 else found[0]

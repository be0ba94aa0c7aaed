"""A reason for or against a registration, and the verdict that all of them make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .body_places import Places

Level = Literal["PASS", "CHECK", "FAIL"]
ORDER: tuple[Level, ...] = ("PASS", "CHECK", "FAIL")


@dataclass(frozen=True)
class Finding:
    """One reason.

    Attributes:
        code: for programs.
        level: what it makes of the verdict.
        text: for people, one sentence.
        values: the figures in it.
        places: where in the fixed scan it holds; None where it is one of the registration as a whole.
    """

    code: str
    level: Level
    text: str
    values: dict[str, float]
    places: Places | None = None

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        told = {"code": self.code, "level": self.level, "text": self.text, "values": self.values}
        return told if self.places is None else {**told, "places": self.places.to_json()}

    @staticmethod
    def of_json(reason: Mapping[str, Any]) -> Finding:
        """Read what :meth:`to_json` wrote.

        Raises:
            TypeError, ValueError: it is of another kind.
        """
        places = reason.get("places")
        return Finding(**{**reason, "places": None if places is None else Places.of_json(places)})


def verdict_of(findings: Sequence[Finding]) -> dict[str, Any]:
    """The worst level and every reason, for the report."""
    level = max((f.level for f in findings), key=ORDER.index, default="PASS")
    ordered = sorted(findings, key=lambda f: -ORDER.index(f.level))
    return {"level": level, "reasons": [f.to_json() for f in ordered]}


def findings_of(report: Mapping[str, Any]) -> list[Finding]:
    """The reasons of a report's verdict; none where it has no verdict.

    Raises:
        TypeError, ValueError: a reason is of another kind.
    """
    return [Finding.of_json(reason) for reason in report.get("verdict", {}).get("reasons", ())]


def with_findings(report: dict[str, Any], more: Sequence[Finding]) -> dict[str, Any]:
    """The report with a verdict that knows of more reasons."""
    return {**report, "verdict": verdict_of([*findings_of(report), *more])}

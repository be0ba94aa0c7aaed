"""What a registration's own report says against it, found beside its transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files.report import read_report
from ..registration.findings import Finding, findings_of
from ..structures.doubts import OTHER_PERSON

WRITTEN = ("transform.h5", "transform.tfm", "matrix.txt", "displacement.nii.gz")
"""The transforms that ``dsir register`` writes into one folder with its report."""


def report_beside(transform: Path) -> dict[str, Any]:
    """The ``report.json`` beside a transform; empty where it is not one of ours."""
    return read_report(transform.parent / "report.json") if transform.name in WRITTEN else {}


def findings_beside(transform: Path) -> list[Finding]:
    """The reasons of the verdict in the report beside a transform, and whether it is said to be of two persons; none
    where it is not one of ours."""
    report = report_beside(transform)
    try:
        other = [OTHER_PERSON] if report.get("settings", {}).get("same_person") is False else []
        return [*findings_of(report), *other]
    except (AttributeError, TypeError, KeyError, ValueError):
        return []

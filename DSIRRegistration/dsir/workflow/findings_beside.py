"""What a registration's own report says against it, found beside its transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files.report import read_report
from ..registration.findings import Finding, findings_of

WRITTEN = ("transform.h5", "transform.tfm", "matrix.txt", "displacement.nii.gz")
"""The transforms that ``dsir register`` writes into one folder with its report."""


def report_beside(transform: Path) -> dict[str, Any]:
    """The ``report.json`` beside a transform; empty where it is not one of ours."""
    return read_report(transform.parent / "report.json") if transform.name in WRITTEN else {}


def findings_beside(transform: Path) -> list[Finding]:
    """The reasons of the verdict in the report beside a transform; none where it is not one of ours."""
    try:
        return findings_of(report_beside(transform))
    except (AttributeError, TypeError, KeyError, ValueError):
        return []

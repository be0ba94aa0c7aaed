"""What a registration's own report says against it, found beside its transform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..registration.findings import Finding, findings_of

WRITTEN = ("transform.h5", "transform.tfm", "matrix.txt", "displacement.nii.gz")
"""The transforms that ``dsir register`` writes into one folder with its report."""


def report_beside(transform: Path) -> dict[str, Any]:
    """The ``report.json`` beside a transform; empty where it is not one of ours."""
    report = Path(transform).parent / "report.json"
    if Path(transform).name not in WRITTEN or not report.is_file():
        return {}
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def findings_beside(transform: Path) -> list[Finding]:
    """The reasons of the verdict in the report beside a transform; none where it is not one of ours."""
    try:
        return findings_of(report_beside(transform))
    except (AttributeError, TypeError, KeyError):
        return []

"""Whether a pair's result is there already, made from the same files with the same settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DsirError
from ..files.report import FORMAT, fingerprint, plain, read_report
from ..registration.settings import RegistrationSettings
from ..workflow.pair import Pair

WHERE = ("device", "threads")
"""Settings that say where to compute, not what: another machine may go on with the batch."""


def is_finished(folder: Path, pair: Pair, settings: RegistrationSettings) -> bool:
    """By its report: folders appear only when they are complete, so a report is a whole result.

    The files are compared by what is in them (SHA-256), not by name or date.
    """
    report = read_report(folder / "report.json")
    if report.get("format") != FORMAT:
        return False
    inputs = report.get("inputs")
    if not isinstance(inputs, dict) or set(inputs) != set(pair.files):
        return False
    try:
        if not same_settings(report["settings"], settings):
            return False
        return all(fingerprint(path)["sha256"] == inputs[role]["sha256"] for role, path in pair.files.items())
    except (DsirError, OSError, KeyError, TypeError, AttributeError):
        return False


def same_settings(reported: Mapping[str, Any], settings: RegistrationSettings, *, but: Sequence[str] = ()) -> bool:
    """Whether a report's settings are these, apart from where to compute and what ``but`` names.

    Raises:
        DsirError: the report has a setting that does not exist.
    """
    mine, theirs = plain(settings.to_json()), plain(RegistrationSettings.from_json(dict(reported)).to_json())
    return all(mine[name] == theirs[name] for name in mine if name not in (*WHERE, *but))

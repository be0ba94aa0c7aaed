"""The page of a commissioning, and its table for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.atomic import write_text
from ..files.tables import write_table
from .templating import render

FIGURES = {"mean": "mean", "p95": "95 %", "largest": "largest", "axis": "along an axis"}
"""Of :class:`dsir.evaluation.tolerances.Errors`, as the page heads them."""

COLUMNS = ("trial", *(f"{name}_mm" for name in FIGURES), "voxels", "tolerances", "met", "verdict", "seconds", "error")


def write_commissioning(path: Path, report: Mapping[str, Any]) -> None:
    """Write the page, whole or not at all.

    Args:
        report: as ``report.json`` holds it.
    """
    trials = report["trials"]
    sources = list(dict.fromkeys(one["source"] for trial in trials for one in trial["tolerances"]))
    text = render(
        "commissioning.html.j2",
        date=report["date"],
        met=report["met"],
        figures=FIGURES,
        trials=[_shown(trial, sources) for trial in trials],
        sources=sources,
        failed=sum(not trial["met"] for trial in trials),
        voxel=f"{report['anatomy']['spacing_mm']:g}",
        model=report["model"],
        preset=report["settings"].get("preset", ""),
        command=report.get("command_line", ""),
        versions=report["versions"],
    )
    write_text(path, text)


def write_errors(path: Path, trials: Sequence[Mapping[str, Any]]) -> None:
    """One row for each trial as CSV, whole or not at all."""
    rows = []
    for trial in trials:
        errors = trial["errors_mm"] or {}
        figures = [f"{errors[name]:.4f}" if errors else "" for name in FIGURES]
        limits = "; ".join(f"{one['figure']} <= {one['limit']:g} mm" for one in trial["tolerances"])
        said = (limits, "yes" if trial["met"] else "no", trial["verdict"], f"{trial['seconds']:.1f}", trial["error"])
        rows.append([trial["trial"], *figures, errors.get("count", ""), *said])
    write_table(path, COLUMNS, rows)


def _shown(trial: Mapping[str, Any], sources: Sequence[str]) -> dict[str, Any]:
    """A trial as the page shows it: each figure with its limit, where one is set on it."""
    limits = {one["figure"]: one for one in trial["tolerances"]}
    errors = trial["errors_mm"]
    cells = [
        {
            "text": "" if errors is None else f"{errors[name]:.2f}",
            "limit": f"{limits[name]['limit']:g}" if name in limits else "",
            "bad": name in limits and not limits[name]["met"],
        }
        for name in FIGURES
    ]
    used = trial["used"]
    said = sorted({sources.index(one["source"]) for one in trial["tolerances"]})
    return {
        "name": trial["trial"],
        "asked": "rigid" if trial["rigid"] else "by the settings",
        "cells": cells,
        "met": trial["met"],
        "used": None if used is None else f"{min(used, 1.0):.0%}",
        "percent": "" if used is None else f"{used:.0%}",
        "source": ", ".join("abcdef"[number] for number in said),
        "verdict": trial["verdict"],
        "seconds": f"{trial['seconds']:.0f}",
        "error": trial["error"],
    }

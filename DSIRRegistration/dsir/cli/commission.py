"""``dsir commission``: a physicist's page before first use, and after every change."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..progress import Progress, within
from .command import Command, Outcome
from .evaluate import align
from .options import add_machine, add_memory, add_overwrite, add_settings, settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..evaluation.commissioning import Row
    from ..registration.settings import RegistrationSettings

NOT_MET = 1
"""Exit code where the work is done and a tolerance is not met."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FOLDER", help="the folder to make")
    parser.add_argument("--quick", action="store_true", help="two trials only: does this installation work?")
    add_overwrite(parser)
    add_settings(parser)
    add_memory(add_machine(parser))


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    settings = settings_from(arguments)
    from ..files.output_folder import OutputFolder, check_output_folder

    check_output_folder(arguments.out, overwrite=arguments.overwrite)
    progress("reading", 0.0, "loading the engine")
    from ..evaluation.commissioning import QUICK, TRIALS, commission
    from ..files.report import write_report
    from ..reports.commissioning import write_commissioning, write_errors

    rows = commission(settings, QUICK if arguments.quick else TRIALS, progress=within(progress, 0.0, 0.98))
    report = _report(rows, settings, arguments.command_line)
    with OutputFolder(arguments.out, overwrite=arguments.overwrite) as folder:
        write_errors(folder.path / "errors.csv", report["trials"])
        write_commissioning(folder.path / "report.html", report)
        write_report(folder.path / "report.json", report)
    progress("done", 1.0, "")
    status = 0 if report["met"] else NOT_MET
    return Outcome(arguments.out.resolve(), _lines(rows, arguments.out), {"report": report}, answer=True, status=status)


def _report(rows: Sequence[Row], settings: RegistrationSettings, command_line: str) -> dict[str, Any]:
    from ..evaluation.demo import SPACING
    from ..features.weights import manifest
    from ..files.report import run_report

    shipped = manifest().get(settings.descriptor, {})
    facts = {
        "date": date.today().isoformat(),
        "anatomy": {"name": "ICBM 152 (2009a, symmetric) average brain, T1-weighted", "spacing_mm": SPACING},
        "model": {"descriptor": settings.descriptor, "sha256": shipped.get("sha256", "")},
        "trials": [row.to_json() for row in rows],
        "met": all(row.met for row in rows),
    }
    return run_report("commission", inputs={}, settings=settings.to_json(), facts=facts, command_line=command_line)


def _lines(rows: Sequence[Row], out: Path) -> tuple[str, ...]:
    table = [["", "mean mm", "95 %", "largest", "along an axis", "tolerance used", ""]]
    for row in rows:
        errors = row.errors
        values = () if errors is None else (errors.mean, errors.p95, errors.largest, errors.axis)
        figures = [f"{value:.2f}" for value in values] or [""] * 4
        used = "" if row.used is None else f"{row.used:.0%}"
        table.append([row.trial.name, *figures, used, "met" if row.met else f"NOT MET {row.error}".strip()])
    missed = sum(not row.met for row in rows)
    told = (
        f"{missed} of {len(rows)} trials missed a tolerance" if missed else f"{len(rows)} trials, every tolerance met"
    )
    return (*align(table), "", f"{told}; see {out / 'report.html'}")


COMMAND = Command(
    name="commission",
    summary="known motions of a known anatomy, held against tolerances: a page for the physicist",
    description="""\
Register known motions of the ICBM average brain (carried by the nilearn package) and hold every voxel against the
truth: shifts, turns, smooth deformations, other contrasts, noise, intensity drift, a cut field of view. Writes
report.html (errors, tolerances after AAPM TG-132, met or not, versions, date), report.json and errors.csv. Minutes on a
laptop.

Exit code 0: every tolerance is met; 1: one is not, and the folder says which. The network has seen this average among
its single training scans, so the figures tell whether an installation works, and not how well it does on patients.""",
    usage="--out FOLDER",
    example="dsir commission --out qa/",
    arguments=_arguments,
    run=_run,
)

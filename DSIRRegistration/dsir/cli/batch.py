"""``dsir batch``: many pairs, as far as they go."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DsirError
from ..progress import Progress
from .command import Command, Outcome
from .options import TASKS, add_different_patients, add_machine, add_settings, settings_from
from .values import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..batch.case_kind import Kind
    from ..batch.plans import PlanCase
    from ..registration.settings import RegistrationSettings


OF_STUDIES = ("series", "even_if_failed", "dry_run", "pseudonyms")
"""Options that speak of patients with two studies."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pairs",
        nargs="?",
        type=Path,
        metavar="PAIRS.csv",
        help="columns name,fixed,moving and, where wanted, fixed_mask,moving_mask,initial,refine,landmarks,"
        "moving_labels,fixed_labels; paths are relative to this file",
    )
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FOLDER", help="a folder NAME for each case")
    parser.add_argument("--exit-zero", action="store_true", help="exit with 0 even where cases failed")
    add_different_patients(parser)
    studies = parser.add_argument_group("patients with two DICOM studies each, in the place of PAIRS.csv")
    studies.add_argument(
        "--studies",
        type=Path,
        metavar="ROOT",
        help="a folder for each patient, in it two studies (new and old, or told by their dates); or a CSV with "
        "columns name,fixed_study,moving_study",
    )
    studies.add_argument(
        "--even-if-failed", action="store_true", help="write contours and DICOM although the verdict is FAIL"
    )
    studies.add_argument("--dry-run", action="store_true", help="say what would be done for each, and do nothing")
    studies.add_argument(
        "--pseudonyms",
        action="store_true",
        help="the patients' names here (of their folders, or of the list) stand for them in the DICOM files",
    )
    studies.add_argument(
        "--series", action="append", default=[], metavar="PICK", help="where a study holds several scans: see dsir plan"
    )
    add_workers(parser)
    add_settings(parser)
    parser.set_defaults(preset=None)  # for studies their own, unless it is said
    add_machine(parser)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Options that choose the workers."""
    group = parser.add_argument_group("workers")
    group.add_argument(
        "--workers", type=count, default=0, metavar="N", help="processes on this machine (default: 0, what fits it)"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask scheduler whose workers do it, e.g. tcp://10.0.0.1:8786"
    )


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    if (arguments.pairs is None) == (arguments.studies is None):
        raise DsirError("Give either PAIRS.csv or --studies.")
    if arguments.pairs:
        for name in OF_STUDIES:
            if getattr(arguments, name):
                raise DsirError(f"--{name.replace('_', '-')} belongs to --studies.")
    asked, arguments.preset = arguments.preset, arguments.preset or "default"
    settings = settings_from(arguments)
    progress("reading", 0.0, "loading the engine")
    from ..batch.run import run_batch
    from ..reports.batch.rows import State
    from ..reports.batch.table import PAGE

    cases, kind = _patients(arguments, asked) if arguments.studies else _pairs(arguments)
    if arguments.dry_run:
        return _dry_run(cases, arguments.out, settings)
    rows = run_batch(
        cases,
        arguments.out,
        settings,
        kind=kind,
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        progress=progress,
    )
    states = Counter(row.state for row in rows)
    failed = [row.name for row in rows if row.state is State.FAILED]
    count = states[State.DONE]
    done = f"{count} {kind.plural.removesuffix('s') if count == 1 else kind.plural} {kind.done}"
    told = f"{done}, {states[State.KEPT]} kept, {len(failed)} failed"
    if failed and not arguments.exit_zero:
        some = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        raise DsirError(f"{told}: {some}; why is in {arguments.out / PAGE}.")
    table = [row.to_json() for row in rows]
    return Outcome(arguments.out.resolve(), (f"{told}; see {arguments.out / PAGE}",), {kind.plural: table})


def _pairs(arguments: argparse.Namespace) -> tuple[dict[str, Any], Kind]:
    from ..batch.case_kind import PAIRS
    from ..batch.pairs import read_pairs

    pairs = read_pairs(arguments.pairs)
    if arguments.different_patients:
        pairs = {name: replace(pair, different_patients=True) for name, pair in pairs.items()}
    return dict(pairs), PAIRS


def _patients(arguments: argparse.Namespace, asked: str | None) -> tuple[dict[str, Any], Kind]:
    """Each with the settings of every preset that its studies may call for."""
    from ..batch.plans import PLANS, PlanCase
    from ..batch.studies import find_studies
    from ..rt.object_attributes import check_pseudonym

    patients = find_studies(arguments.studies)
    for name in patients if arguments.pseudonyms else ():
        check_pseudonym(name)
    settings = {}
    for name in (asked,) if asked else ("default", *TASKS):
        arguments.preset = name
        settings[name] = settings_from(arguments)
    cases = {
        name: PlanCase(
            studies,
            settings,
            asked,
            tuple(arguments.series),
            name if arguments.pseudonyms else None,
            different_patients=arguments.different_patients,
            even_if_failed=arguments.even_if_failed,
        )
        for name, studies in patients.items()
    }
    return dict(cases), PLANS


def _dry_run(cases: Mapping[str, PlanCase], out: Path, where: RegistrationSettings) -> Outcome:
    """What would be done for each patient, and who cannot be planned (exit code 2)."""
    from ..batch.plans import is_planned, plan_of

    lines: list[str] = []
    plans: dict[str, Any] = {}
    for name, case in cases.items():
        try:
            plan = plan_of(case)
            said, plans[name] = plan.lines(), plan.to_json()
        except DsirError as error:
            said, plans[name] = (f"cannot be planned: {error}",), {"error": str(error)}
        done = " (there already, and kept)" if is_planned(out / name, case, where) else ""
        lines += [f"{name}{done}", *(f"  {line}" for line in said)]
    refused = sum("error" in plan for plan in plans.values())
    lines.append(f"{len(plans)} patients" + (f", {refused} of them cannot be planned" if refused else ""))
    return Outcome(None, tuple(lines), {"plans": plans}, answer=True, status=2 if refused else 0)


COMMAND = Command(
    name="batch",
    summary="register many pairs, or plan many patients, and go on where it was stopped",
    description="""\
Register each pair of a list into FOLDER/NAME (see dsir register); or, with --studies, propagate the old study of each
patient onto the new one (see dsir plan). results.csv and results.html grow while it runs.

The same command goes on after a stop or a kill: cases whose result is there, made from the same files with the same
settings, are kept. A case that fails, or whose worker dies, does not stop the others. Exit code 0: every case has its
result; 2: some failed, and the table says why. Workers are Dask's: processes here, or those of any scheduler.""",
    usage="PAIRS.csv --out FOLDER",
    example="dsir batch pairs.csv --out results/ --workers 4 --preset fast\n"
    "  dsir batch --studies root/ --out results/",
    arguments=_arguments,
    run=_run,
    stopped="Stopped; finished cases stay, and the same command goes on with the others.",
)

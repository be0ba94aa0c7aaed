"""``dsir plan``: two DICOM studies in, what a planning system imports out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..progress import Progress
from .command import Command, Outcome
from .options import add_different_patients, add_machine, add_memory, add_overwrite, add_settings, settings_from


def _arguments(parser: argparse.ArgumentParser) -> None:
    studies = parser.add_argument_group("studies")
    studies.add_argument("--fixed-study", required=True, type=Path, metavar="FOLDER", help="the new study, DICOM")
    studies.add_argument(
        "--moving-study", required=True, type=Path, metavar="FOLDER", help="the old study: scan, structure set, dose"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", "-o", type=Path, metavar="FOLDER", help="the folder to make (not with --dry-run)")
    output.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    output.add_argument("--pseudonym", metavar="NAME", help="stands for the patient in the DICOM files")
    output.add_argument(
        "--even-if-failed", action="store_true", help="write contours and DICOM although the verdict is FAIL"
    )
    add_overwrite(output)
    add_different_patients(output)
    add_settings(parser)
    parser.set_defaults(preset=None)  # the studies' own, unless it is said
    add_memory(add_machine(parser))


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    from ..errors import DsirError
    from ..files.output_folder import check_output_folder

    if not arguments.dry_run:
        if arguments.out is None:
            raise DsirError("Give --out, the folder to make, or --dry-run.")
        check_output_folder(arguments.out, overwrite=arguments.overwrite)
    if arguments.pseudonym is not None:
        from ..rt.object_attributes import check_pseudonym

        check_pseudonym(arguments.pseudonym)
    progress("reading", 0.0, "looking into both studies")
    from ..planning.work import PlanOfWork

    plan = PlanOfWork.of(
        arguments.fixed_study,
        arguments.moving_study,
        preset=arguments.preset,
        different_patients=arguments.different_patients,
    )
    if arguments.dry_run:
        progress("done", 1.0, "")
        return Outcome(None, plan.lines(), {"plan": plan.to_json()}, answer=True)
    arguments.preset = plan.preset
    settings = settings_from(arguments)
    from ..planning.run import run_plan

    report = run_plan(
        plan,
        arguments.out,
        settings,
        pseudonym=arguments.pseudonym,
        even_if_failed=arguments.even_if_failed,
        overwrite=arguments.overwrite,
        command_line=arguments.command_line,
        progress=progress,
    )
    return Outcome(arguments.out.resolve(), (*plan.lines()[:5], *_summary(arguments.out, report)), {"report": report})


def _summary(out: Path, report: dict) -> tuple[str, ...]:
    lights = {light: sum(s["light"] == light for s in report["structures"]) for light in ("green", "amber", "red")}
    lines = [f"Result in {out}; begin with report.html", f"{report['verdict']['level']}: the registration"]
    lines += [f"  {reason['level']}: {reason['text']}" for reason in report["verdict"]["reasons"]]
    if report["structures"]:
        lines.append("contours: " + ", ".join(f"{count} {light}" for light, count in lights.items() if count))
    return (*lines, *(f"Warning: {sentence}" for sentence in report["warnings"]))


COMMAND = Command(
    name="plan",
    summary="from two DICOM studies to what a planning system imports",
    description="""\
Find the scans, the structure set and the dose that belong together in two DICOM studies, register the old scan to the
new one with the preset that fits, propagate contours and dose, and write what a planning system imports: RTSTRUCT, SEG,
a registration object, the warped series, and report.html, which says what was chosen and why, a verdict on the
registration, a light for each contour, and dose-volume histograms.

Nothing is approved, nothing leaves this machine, and where the verdict is FAIL nothing for the planning system is
written. --dry-run says what would be done.""",
    usage="--fixed-study FOLDER --moving-study FOLDER --out FOLDER",
    example="dsir plan --fixed-study new/ --moving-study old/ --out case/",
    arguments=_arguments,
    run=_run,
)

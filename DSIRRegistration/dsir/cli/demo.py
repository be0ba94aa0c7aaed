"""``dsir demo``: a real brain with a known answer, beside the usual way, in two minutes."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress, within
from .command import Command, Outcome
from .evaluate import align
from .options import add_machine, add_overwrite, add_settings, settings_from
from .register import verdict_lines

if TYPE_CHECKING:
    from ..metrics.overlap import ErrorScore


TURN, SHIFT = 25.0, 30.0
"""Degrees and mm by which the two scans lie apart, besides a deformation of up to 12 mm."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", "-o", type=Path, default=Path("demo-result"), metavar="FOLDER", help="(default: demo-result)"
    )
    add_overwrite(parser)
    add_settings(parser)
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    settings = settings_from(arguments)
    from ..files.output_folder import OutputFolder, check_output_folder

    check_output_folder(arguments.out, overwrite=arguments.overwrite)
    progress("making", 0.0, "taking the ICBM average brain from nilearn, deforming it")
    from ..evaluation.demo import demo_case
    from ..evaluation.mutual_information_peer import by_mutual_information
    from ..files.displacements import write_displacement_nifti
    from ..files.images import write_image
    from ..metrics.overlap import end_point_error
    from ..registration.register import register
    from ..transforms.field import DisplacementField
    from ..transforms.jacobian import fold_report
    from ..workflow.result import write_result

    case = demo_case(seed=settings.seed, rotation=TURN, translation=SHIFT)
    truth = case.truth
    assert truth is not None  # simulated
    start = end_point_error(DisplacementField.identity(truth.lattice), truth, case.body)
    rows = [("", "mean mm", "worst 30 % mm", "largest mm", "folds", "seconds"), ("before", *_lengths(start), "", "")]
    errors: dict[str, ErrorScore] = {"before": start}
    with OutputFolder(arguments.out, overwrite=arguments.overwrite) as folder:
        write_image(folder.path / "fixed.nii.gz", case.fixed)
        write_image(folder.path / "moving.nii.gz", case.moving)
        write_displacement_nifti(folder.path / "truth.nii.gz", truth)
        progress("mutual information", 0.05, "the usual way, by SimpleITK: rigid, affine, B-splines")
        began = time.perf_counter()
        peer = by_mutual_information(case.fixed, case.moving).displacement(truth.lattice)
        took = time.perf_counter() - began
        errors["mutual information"] = end_point_error(peer, truth, case.body)
        folds = str(fold_report(peer, case.body).folds)
        rows.append(("mutual information", *_lengths(errors["mutual information"]), folds, f"{took:.0f}"))
        result = register(case.fixed, case.moving, settings, progress=within(progress, 0.4, 0.9))
        report = write_result(
            folder.path / "result", case.fixed, case.moving, result, progress=within(progress, 0.9, 1.0)
        )
        errors["dsir"] = end_point_error(result.displacement(truth.lattice), truth, case.body)
        seconds = f"{report['seconds']['total']:.0f}"
        rows.append((settings.descriptor, *_lengths(errors["dsir"]), str(report["folds"]), seconds))
    out = arguments.out.resolve() / "result"
    lines = (
        "Distance to the true place, over the brain:",
        *align(rows),
        "",
        *verdict_lines(report),
        f"The page is    {out / 'report.html'}",
        f"The picture is {out / 'preview.png'}",
    )
    values = {name: {"mean": error.mean, "worst30": error.worst30} for name, error in errors.items()}
    return Outcome(arguments.out.resolve(), lines, {"errors": values, "verdict": report["verdict"]})


def _lengths(error: ErrorScore) -> tuple[str, str, str]:
    return f"{error.mean:.2f}", f"{error.worst30:.2f}", f"{error.largest:.2f}"


COMMAND = Command(
    name="demo",
    summary="register a real brain to a simulated second contrast, with a known answer",
    description="""\
Register the ICBM average brain (real anatomy, carried by the nilearn package) to a partner of another contrast, which
is simulated from its tissue maps: turned by 25 degrees, shifted by 30 mm, and deformed by up to 12 mm, all of it
known. Beside it the usual way, mutual information by SimpleITK (rigid, affine, B-splines). Tells how far each ends from
the truth, the verdict, and where the page and the picture are. The network has seen this average among its single
training scans, never its partner; figures on people it never saw are in Docs/model.md.""",
    usage="",
    example="dsir demo --out demo-result",
    arguments=_arguments,
    run=_run,
)

"""``dsir demo``: a real brain with a known answer, in two minutes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress, within
from .command import Command, Outcome
from .evaluate import align
from .options import add_machine, add_overwrite, add_settings, settings_from

if TYPE_CHECKING:
    from ..metrics.overlap import ErrorScore


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
    from ..files.displacements import write_displacement_nifti
    from ..files.images import write_image
    from ..metrics.overlap import end_point_error
    from ..registration.register import register
    from ..transforms.field import DisplacementField
    from ..workflow.result import write_result

    case = demo_case(seed=settings.seed)
    truth = case.truth
    assert truth is not None  # simulated
    start = end_point_error(DisplacementField.identity(truth.lattice), truth, case.body)
    rows = [("", "mean mm", "worst 30 % mm", "largest mm", "folds", "seconds"), ("before", *_lengths(start), "", "")]
    errors: dict[str, ErrorScore] = {"before": start}
    others = [name for name in ("dsir", "mind") if name != settings.descriptor]
    descriptors = [*others, settings.descriptor]  # the default last: its picture is the one shown
    with OutputFolder(arguments.out, overwrite=arguments.overwrite) as folder:
        write_image(folder.path / "fixed.nii.gz", case.fixed)
        write_image(folder.path / "moving.nii.gz", case.moving)
        write_displacement_nifti(folder.path / "truth.nii.gz", truth)
        for number, name in enumerate(descriptors):
            part = within(progress, 0.1 + 0.9 * number / len(descriptors), 0.1 + 0.9 * (number + 1) / len(descriptors))
            result = register(
                case.fixed, case.moving, replace(settings, descriptor=name), progress=within(part, 0.0, 0.85)
            )
            report = write_result(folder.path / name, case.fixed, case.moving, result, progress=within(part, 0.85, 1.0))
            errors[name] = end_point_error(result.displacement(truth.lattice), truth, case.body)
            rows.append((name, *_lengths(errors[name]), str(report["folds"]), f"{report['seconds']['total']:.0f}"))
    picture = arguments.out.resolve() / descriptors[-1] / "preview.png"
    lines = ("Distance to the true place, over the brain:", *align(rows), "", f"The picture is {picture}")
    values = {name: {"mean": error.mean, "worst30": error.worst30} for name, error in errors.items()}
    return Outcome(arguments.out.resolve(), lines, {"errors": values})


def _lengths(error: ErrorScore) -> tuple[str, str, str]:
    return f"{error.mean:.2f}", f"{error.worst30:.2f}", f"{error.largest:.2f}"


COMMAND = Command(
    name="demo",
    summary="register a real brain to a simulated second contrast, with a known answer",
    description="""\
Register the ICBM average brain (real anatomy, carried by the nilearn package) to a partner of another contrast, which
is simulated from its tissue maps, across a known simulated deformation of up to 12 mm with 4 degrees and 6 mm of
rigid motion; with the default descriptor and with MIND. Tells how far each ends from the truth.""",
    usage="",
    example="dsir demo --out demo-result",
    arguments=_arguments,
    run=_run,
)

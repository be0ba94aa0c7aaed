"""``dsir register``: two images in, a folder with the transform and everything one wants to see of it out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import DsirError
from ..progress import Progress
from . import options
from .command import Command, Outcome
from .series import run_series


def _arguments(parser: argparse.ArgumentParser) -> None:
    images = parser.add_argument_group("images")
    images.add_argument(
        "--fixed", required=True, type=Path, metavar="IMAGE", help=f"the scan that stays ({options.IMAGE_KINDS})"
    )
    images.add_argument(
        "--moving",
        required=True,
        nargs="+",
        action="extend",
        type=Path,
        metavar="IMAGE",
        help="the scan that is brought onto it (same kinds); several in order are a series: a folder each, one table",
    )
    images.add_argument(
        "--chain",
        action=argparse.BooleanOptionalAction,
        help="of a series: begin each scan from its neighbour's result (default: with the preset lung_4dct)",
    )
    images.add_argument(
        "--fixed-mask", type=Path, metavar="MASK", help="where to look in fixed (above zero); found by itself otherwise"
    )
    images.add_argument("--moving-mask", type=Path, metavar="MASK", help="where to look in moving (above zero)")
    images.add_argument(
        "--initial", type=Path, metavar="TRANSFORM", help=f"a start, fixed to moving ({options.TRANSFORM_KINDS})"
    )
    images.add_argument(
        "--refine", type=Path, metavar="TRANSFORM", help="improve this transform, as after one more landmark: no search"
    )
    options.add_field_convention(images)
    images.add_argument(
        "--landmarks",
        type=Path,
        metavar="CSV",
        help="pairs that belong together (columns fx,fy,fz,mx,my,mz in RAS mm; optional tolerance, confidence)",
    )
    images.add_argument(
        "--moving-labels", type=Path, metavar="LABELS", help="label map on the moving scan, to be propagated onto fixed"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", "-o", required=True, type=Path, metavar="FOLDER", help="the folder to make")
    output.add_argument(
        "--dicom-reg",
        type=Path,
        metavar="FILE.dcm",
        help="also a DICOM registration object (both scans DICOM): spatial for a linear result, else deformable; "
        "of a series one in each scan's folder, under this name",
    )
    output.add_argument(
        "--brief", action="store_true", help="write transform.h5, warped images and report.json only, which is quicker"
    )
    options.add_overwrite(output)
    options.add_different_patients(output)
    options.add_settings(parser)
    options.add_memory(options.add_machine(parser))


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    settings = options.settings_from(arguments)
    if len(arguments.moving) > 1:
        return run_series(arguments, settings, progress)
    if arguments.chain is not None:
        raise DsirError("--chain is for a series: give several scans to --moving.")
    (moving,) = arguments.moving
    from ..files.output_folder import check_output_folder

    check_output_folder(arguments.out, overwrite=arguments.overwrite)
    if arguments.dicom_reg:
        options.check_output_file(arguments.dicom_reg, (), overwrite=arguments.overwrite)
    progress("reading", 0.0, "loading the engine")
    from ..workflow.pair import Pair, register_pair

    pair = Pair(
        arguments.fixed,
        moving,
        **{
            role: getattr(arguments, role)
            for role in ("fixed_mask", "moving_mask", "initial", "refine", "landmarks", "moving_labels")
        },
        different_patients=arguments.different_patients,
    )
    export = None
    if arguments.dicom_reg:
        from ..workflow.dicom_export import RegistrationExport

        export = RegistrationExport.of(arguments.fixed, moving, arguments.different_patients)
    report = register_pair(
        pair,
        settings,
        arguments.out,
        brief=arguments.brief,
        field_convention=arguments.field_convention,
        overwrite=arguments.overwrite,
        command_line=arguments.command_line,
        progress=progress,
    )
    if export is not None:
        progress("writing", 1.0, "the DICOM registration object")
        export.write(arguments.dicom_reg, arguments.out / "transform.h5")
    return Outcome(arguments.out.resolve(), _summary(arguments.out, report), {"report": report})


def _summary(out: Path, report: dict) -> tuple[str, ...]:
    """The few lines a person reads."""
    from ..reports.registration.facts import warnings_beside_verdict

    before, after = report.get("similarity", {}).get("start"), report.get("similarity", {}).get("end")
    lines = [f"Result in {out}", *verdict_lines(report)]
    if before is not None and after is not None:
        lines.append(f"similarity {before:.3f} -> {after:.3f}")
    lines += _linear_line(report)
    pairs = report.get("landmarks")
    if pairs:
        apart = f"{pairs['before']['mean_mm']:.1f} -> {pairs['after']['mean_mm']:.1f} mm"
        lines.append(f"landmarks ({pairs['count']}) {apart} in the mean")
    inverse = f", inverse within {report['inverse_error']['p95']:.3f} mm" if "inverse_error" in report else ""
    lines.append(f"folds {report['folds']}, SD log J {report['sd_log_j']:.3f}{inverse}")
    lines.append(f"{report['seconds']['total']:.1f} s")
    return (*lines, *(f"Warning: {sentence}" for sentence in warnings_beside_verdict(report)))


def verdict_lines(report: dict) -> list[str]:
    """The verdict and its reasons, a line each."""
    from ..reports.registration.facts import MEANINGS

    verdict = report.get("verdict")
    if not verdict:
        return []
    reasons = (f"  {reason['level']}: {reason['text']}" for reason in verdict["reasons"])
    return [f"{verdict['level']}: {MEANINGS[verdict['level']]}", *reasons]


def _linear_line(report: dict) -> list[str]:
    """What the linear part does, and whether a deformation follows it."""
    linear, kept = report.get("linear", {}), report.get("deformation", {}).get("kept")
    if "model" not in linear:
        return []
    moved = f"shift {linear['shift_mm']:.1f} mm, turn {linear['turn_deg']:.1f} degrees"
    moved += f", scale {linear['scale_percent']:+.1f} %"
    said = "none, the scans lie well" if linear["model"] == "none" else f"{linear['model']} ({moved})"
    return [f"linear part: {said}; {'with' if kept else 'no'} deformation"]


COMMAND = Command(
    name="register",
    summary="find where each point of a fixed scan lies in a moving scan",
    description="""\
Find where each point of the fixed scan lies in the moving scan.

The folder holds displacement.nii.gz (on the fixed grid, RAS mm: the fixed point x lies at x + u(x) in moving),
transform.h5 and inverse.h5 (for SimpleITK and 3D Slicer), warped.nii.gz (moving on the fixed grid), jacobian.nii.gz,
warped_labels.nii.gz (with --moving-labels), report.json, report.html and preview.png. A result without a deformation
is a linear transform: transform.tfm and matrix.txt (4 x 4) are then there in the place of displacement.nii.gz. The
scans may have any orientation, spacing and field of view; nothing need be aligned beforehand.

Several moving scans are a series (phases of a breath, weekly scans): each has its folder in FOLDER, and report.html,
report.json and results.csv tell of all. Exit code 2 where one could not be registered; the others are there.""",
    usage="--fixed IMAGE --moving IMAGE --out FOLDER",
    example="dsir register --fixed ct.nii.gz --moving mr.nii.gz --out result/ --moving-labels organs.nii.gz",
    arguments=_arguments,
    run=_run,
)

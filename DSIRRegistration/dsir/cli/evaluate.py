"""``dsir evaluate``: how good is this transform."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..progress import Progress
from .command import Command, Outcome
from .learn2reg import add_data_set, run_data_set
from .options import TRANSFORM_KINDS, add_field_convention, add_machine, add_overwrite, begin, check_output_file
from .values import millimetres


def _arguments(parser: argparse.ArgumentParser) -> None:
    mapping = parser.add_mutually_exclusive_group(required=True)
    mapping.add_argument("--displacement", type=Path, metavar="FILE", help="displacement.nii.gz of dsir register")
    mapping.add_argument("--transform", "-t", type=Path, metavar="FILE", help=f"fixed to moving ({TRANSFORM_KINDS})")
    mapping.add_argument(
        "--learn2reg", type=Path, metavar="FILE.json", help="a challenge's data set: register and score all of it"
    )
    add_field_convention(parser)
    known = parser.add_argument_group("what is known")
    known.add_argument("--fixed-labels", type=Path, metavar="LABELS", help="label map on the fixed scan")
    known.add_argument("--moving-labels", type=Path, metavar="LABELS", help="the same values on the moving scan")
    known.add_argument("--names", type=Path, metavar="FILE.csv", help="names of the labels, columns value,name")
    known.add_argument(
        "--landmarks", type=Path, metavar="FILE.csv", help="paired points, columns fx,fy,fz,mx,my,mz (RAS mm)"
    )
    known.add_argument("--truth", type=Path, metavar="FILE", help="the true displacement field (same kinds)")
    known.add_argument("--truth-mask", type=Path, metavar="MASK", help="where its errors count")
    known.add_argument(
        "--tolerance", type=millimetres, default=2.0, metavar="MM", help="of the surface Dice (default: 2 mm)"
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="JSON instead of the table, or into FILE beside it"
    )
    add_overwrite(output)
    add_data_set(parser)
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    if arguments.learn2reg:
        return run_data_set(arguments, progress)
    target = None if arguments.json in (None, "-") else Path(arguments.json)
    if target:
        check_output_file(target, (), overwrite=arguments.overwrite)
    begin(arguments, progress)
    from ..files.images import geometry_remarks, read_mask
    from ..files.landmarks import read_landmarks
    from ..files.report import write_report
    from ..files.transforms import read_field, read_transform
    from ..registration.findings import verdict_of
    from ..registration.verdict import judged_by_measures
    from ..rt.label_maps import read_labels
    from ..structures.label_names import read_names
    from ..workflow.measure import measure

    convention = arguments.field_convention
    transform = read_transform(arguments.displacement or arguments.transform, convention=convention)
    truth = read_field(arguments.truth, convention=convention) if arguments.truth else None
    pairs = read_landmarks(arguments.landmarks) if arguments.landmarks else None
    known: dict[str, Any] = {
        "fixed_labels": read_labels(arguments.fixed_labels) if arguments.fixed_labels else None,
        "moving_labels": read_labels(arguments.moving_labels) if arguments.moving_labels else None,
        "landmarks": (pairs.fixed, pairs.moving) if pairs else None,
        "truth": truth,
        "truth_mask": read_mask(arguments.truth_mask, truth.lattice) if truth and arguments.truth_mask else None,
        "names": read_names(arguments.names) if arguments.names else None,
    }
    progress("measuring", 0.3, "measuring")
    found = measure(transform, **known, tolerance_mm=arguments.tolerance)
    progress("measuring", 1.0, "done")
    given = (arguments.fixed_labels, arguments.moving_labels, arguments.truth_mask, arguments.truth)
    remarks = geometry_remarks(*given, arguments.displacement or arguments.transform)
    if remarks:
        found["warnings"] = list(remarks)
    findings = judged_by_measures(found)
    if "labels" in found or "landmarks" in found:
        found["verdict"] = verdict_of(findings)
    if target:
        write_report(target, found)
    lines = (json.dumps(found, indent=2),) if arguments.json == "-" else table(found, arguments.tolerance)
    if arguments.json != "-":
        lines = [*lines, *(f"{finding.level}: {finding.text}" for finding in findings)]
        lines += [f"Note: {sentence}" for sentence in remarks]
    return Outcome(target.resolve() if target else None, tuple(lines), {"measures": found}, answer=target is None)


def table(found: dict[str, Any], tolerance: float) -> list[str]:
    """What was measured, as lines of aligned columns; before is doing nothing."""
    rows: list[Sequence[str]] = []
    if "labels" in found:
        rows.append(("label", "Dice", "HD95 mm", "surface mm", f"surface Dice {tolerance:g} mm"))
        keys = ("dice", "hd95_mm", "surface_distance_mm", "surface_dice")
        for label in found["labels"].values():
            rows.append((label["name"], *(_pair(label["before"][key], label["after"][key]) for key in keys)))
        dice = found["dice"]
        rows.append(("mean", _pair(dice["before"]["mean"], dice["after"]["mean"])))
        rows.append(("worst 30 %", _pair(dice["before"]["worst30"], dice["after"]["worst30"])))
    for name, title in (("landmarks", "landmark error"), ("end_point_error", "end-point error")):
        if name in found:
            rows += (
                [(), (title, "mean mm", "worst 30 % mm", "largest mm")]
                if rows
                else [(title, "mean mm", "worst 30 % mm", "largest mm")]
            )
            before, after = found[name]["before"], found[name]["after"]
            rows.append(
                (f"{after['count']} points", *(_pair(before[k], after[k]) for k in ("mean", "worst30", "largest")))
            )
    lines = align(rows)
    if "field" in found:
        field = found["field"]
        said = f"folds {field['folds']} of {field['voxels']} voxels, smallest det J {field['smallest']:.3f}"
        lines += [*([""] if lines else []), f"{said}, SD log J {field['sd_log_j']:.3f}"]
    return lines


def _pair(before: float | None, after: float | None) -> str:
    return " -> ".join(
        "-" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}" for value in (before, after)
    )


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, columns below each other."""
    widths = [max(len(row[n]) for row in rows if len(row) > n) for n in range(max(map(len, rows), default=0))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]


COMMAND = Command(
    name="evaluate",
    summary="measure a transform against labels, landmarks or a known field",
    description="""\
Measure a transform against what is known: label maps of both scans (Dice, 95 % Hausdorff distance, mean surface
distance, surface Dice), paired landmarks, or the true displacement field; and count its folds. Each figure stands
beside that of doing nothing. Definitions are those of Learn2Reg (Hering et al., IEEE TMI 2023).

With --learn2reg: register every pair of a data set in the challenge's layout (as dsir batch does, so a second call
goes on where the first stopped), write the fields as one hands them in, and score them beside those of peers.""",
    usage="--displacement FILE [--fixed-labels LABELS --moving-labels LABELS] [--landmarks FILE.csv]",
    example="dsir evaluate --displacement result/displacement.nii.gz --fixed-labels a.nii.gz --moving-labels b.nii.gz",
    arguments=_arguments,
    run=_run,
)

"""``dsir compare``: two registrations of one pair, and where they differ."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..progress import Progress
from .command import Command, Outcome
from .evaluate import align
from .options import IMAGE_KINDS, add_field_convention, add_overwrite


def _arguments(parser: argparse.ArgumentParser) -> None:
    given = parser.add_argument_group("what is compared")
    given.add_argument("first", type=Path, metavar="A", help="folder of dsir register, or the file of a transform")
    given.add_argument("second", type=Path, metavar="B", help="the same, also a DICOM registration of another system")
    given.add_argument(
        "--fixed", type=Path, metavar="IMAGE", help=f"the scan that stays ({IMAGE_KINDS}; default: A's warped.nii.gz)"
    )
    given.add_argument("--labels", type=Path, metavar="LABELS", help="structures on the fixed scan, a line for each")
    given.add_argument("--names", type=Path, metavar="CSV", help="names of the labels: CSV with value,name")
    add_field_convention(given)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", "-o", type=Path, metavar="FOLDER", help="difference.nii.gz (mm), picture, table and report.html"
    )
    add_overwrite(output)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    from ..errors import DsirError
    from ..files.output_folder import OutputFolder, check_output_folder

    if arguments.out:
        check_output_folder(arguments.out, overwrite=arguments.overwrite)
    fixed_file = arguments.fixed or arguments.first / "warped.nii.gz"
    if not fixed_file.exists():
        raise DsirError("Give --fixed, the scan that stays: the first registration is no result folder.")
    progress("reading", 0.0, "loading the engine")
    from ..files.images import read_image, write_image
    from ..files.report import run_report, write_report
    from ..reports.comparison import write_comparison
    from ..rt.label_maps import read_labels
    from ..structures.label_names import read_names
    from ..workflow.compare import compare, transform_file
    from ..workflow.given_transform import read_given_transform

    fixed = read_image(fixed_file)
    files = [transform_file(given) for given in (arguments.first, arguments.second)]
    given = [read_given_transform(file, convention=arguments.field_convention) for file in files]
    labels = read_labels(arguments.labels) if arguments.labels else None
    names = read_names(arguments.names) if arguments.names else None
    progress("comparing", 0.3, "")
    found = compare(given[0].transform, given[1].transform, fixed, labels, names)
    if arguments.out:
        progress("writing", 0.7, "")
        with OutputFolder(arguments.out, overwrite=arguments.overwrite) as folder:
            write_image(folder.path / "difference.nii.gz", found.length)
            facts = {"regions": [region.to_json() for region in found.regions]}
            inputs: dict[str, Path | None] = {
                "first": files[0],
                "second": files[1],
                "fixed": fixed_file if fixed_file.is_file() else None,
            }
            report = run_report("compare", inputs=inputs, settings={}, facts=facts, command_line=arguments.command_line)
            write_comparison(folder.path / "report.html", found.length, fixed, found.body, report)
            write_report(folder.path / "compare.json", report)
    progress("done", 1.0, "")
    rows = [("", "mean", "median", "95 %", "largest", "mean vector (R A S)")]
    for one in found.regions:
        vector = " ".join(f"{v:+.1f}" for v in one.systematic)
        rows.append((one.name, f"{one.mean:.2f}", f"{one.median:.2f}", f"{one.p95:.2f}", f"{one.largest:.2f}", vector))
    lines = ["Distance between the two registrations, mm:", *align(rows)]
    lines += [f"Note: {sentence}" for sentence in dict.fromkeys(remark for one in given for remark in one.remarks)]
    values: dict[str, object] = {"regions": [region.to_json() for region in found.regions]}
    return Outcome(arguments.out.resolve() if arguments.out else None, tuple(lines), values, answer=True)


COMMAND = Command(
    name="compare",
    summary="where two registrations of one pair differ",
    description="""\
Compare two registrations of one pair, point by point on the fixed scan: mean, median, 95th percentile and largest
distance in mm between the places that they give to a fixed point, in the body and in each structure. Either may be a
folder of dsir register, a transform of any program, or a DICOM registration object of another system.""",
    usage="A B",
    example="dsir compare result/ reg_of_the_planning_system.dcm --fixed ct/ --labels organs.nii.gz -o difference/",
    arguments=_arguments,
    run=_run,
)

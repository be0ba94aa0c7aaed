"""``dsir propagate``: contours of one scan on another, with a verdict on each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import once
from ..progress import Progress, within
from . import options
from .command import Command, Outcome
from .propagate_files import KINDS, check, inputs, read, write

if TYPE_CHECKING:
    from ..structures.propagate import Propagation


def _arguments(parser: argparse.ArgumentParser) -> None:
    options.add_transform(parser, required=True)
    drawn = parser.add_argument_group("what was drawn on the moving scan (one of these)")
    source = drawn.add_mutually_exclusive_group(required=True)
    source.add_argument("--rtstruct", type=Path, metavar="FILE.dcm", help="an RTSTRUCT; needs --moving-series")
    source.add_argument("--segmentation", type=Path, metavar="FILE.seg.nrrd", help="a Slicer segmentation")
    source.add_argument("--labels", type=Path, metavar="LABELS", help="a label map, 0 is background")
    source.add_argument(
        "--surfaces",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"surfaces, curves and points ({' '.join((*options.SURFACES, *options.POINTS))})",
    )
    drawn.add_argument("--names", type=Path, metavar="FILE.csv", help="names of the labels, columns value,name")
    scans = parser.add_argument_group("the scans")
    moving = scans.add_mutually_exclusive_group()
    moving.add_argument("--moving-series", type=Path, metavar="FOLDER", help="DICOM series that was drawn on")
    moving.add_argument(
        "--moving", type=Path, metavar="IMAGE", help=f"the same as an image, for pictures ({options.IMAGE_KINDS})"
    )
    fixed = scans.add_mutually_exclusive_group(required=True)
    fixed.add_argument("--fixed-series", type=Path, metavar="FOLDER", help="DICOM series that the contours are for")
    fixed.add_argument("--fixed", type=Path, metavar="IMAGE", help="the same as an image; no RTSTRUCT can be written")
    against = parser.add_argument_group("what to check against")
    against.add_argument(
        "--reference",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the same drawn on the fixed scan (RTSTRUCT, .seg.nrrd, labels, or surfaces)",
    )
    sure = against.add_mutually_exclusive_group()
    sure.add_argument(
        "--confidence", type=Path, metavar="IMAGE", help="a map on the fixed scan, as dsir confidence makes"
    )
    sure.add_argument(
        "--measure-confidence", action="store_true", help="make it now from the two scans, which takes about a minute"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--rigid", action="append", default=[], metavar="NAME", help="a structure that must not deform (repeatable)"
    )
    how.add_argument(
        "--holes",
        choices=("keyhole", "inner", "xor"),
        default="keyhole",
        help="of RTSTRUCT contours (default: keyhole)",
    )
    how.add_argument("--pseudonym", metavar="NAME", help="stands for the patient in the RTSTRUCT or SEG")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        "-o",
        required=True,
        type=Path,
        metavar="PATH",
        help=f"one of {', '.join(KINDS)}; for surfaces also a file of their kind, or a folder for several",
    )
    output.add_argument(
        "--report", type=Path, metavar="FILE.html", help="the verdicts, with pictures; .csv and .json lie beside it"
    )
    output.add_argument("--with-identifiers", action="store_true", help="name the patient and the files in the report")
    output.add_argument(
        "--transform-out", type=Path, metavar="FILE", help="the transform that was used (with --rigid another one)"
    )
    output.add_argument("--dose", type=Path, metavar="FILE.dcm", help="an RTDOSE of the moving scan, to look at")
    output.add_argument(
        "--dose-out", type=Path, metavar="FILE.nii.gz", help="where its view goes; not validated for accumulation"
    )
    options.add_overwrite(output)
    options.add_different_patients(output)
    options.add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    check(arguments)
    options.begin(arguments, progress)
    from ..files.dicom_registration import Frames
    from ..files.images import geometry_remarks, read_image
    from ..reports.structures.verdicts import write_verdicts
    from ..structures.doubts import OTHER_PERSON
    from ..structures.propagate import propagate
    from ..structures.structure_io import identity_of
    from ..structures.transform_confidence import TransformConfidence
    from ..workflow.findings_beside import findings_beside
    from ..workflow.given_transform import read_given_transform, start_warnings

    drawn = read(arguments)
    given = read_given_transform(
        arguments.transform,
        convention=arguments.field_convention,
        fixed=drawn.fixed.image,
        moving=drawn.moving.image,
        frames=Frames(*(scan.series.frame_of_reference if scan.series else "" for scan in (drawn.fixed, drawn.moving))),
    )
    transform = given.transform
    confidence = TransformConfidence(read_image(arguments.confidence)) if arguments.confidence else None
    doubts = [*findings_beside(arguments.transform), *([OTHER_PERSON] if drawn.persons else [])]
    if arguments.measure_confidence:
        from ..structures.confidence_map import doubts_of, measure_confidence

        both = drawn.fixed.voxels, drawn.moving.voxels
        confidence = measure_confidence(*both, transform, progress=within(progress, 0.05, 0.35))
        doubts += doubts_of(*both, transform, same_person=False if drawn.persons else None)
    result = propagate(
        drawn.source,
        transform,
        drawn.fixed.lattice,
        rigid=arguments.rigid,
        reference=drawn.reference,
        confidence=confidence,
        doubts=list({doubt.code: doubt for doubt in doubts}.values()),
        progress=within(progress, 0.4, 0.7),
    )
    progress("writing", 0.7, "the structures")
    scans = [scan.image for scan in (drawn.fixed, drawn.moving) if scan.image]
    geometry = [sentence for image in scans for sentence in image.remarks]
    geometry += geometry_remarks(arguments.labels, arguments.transform, *(arguments.reference or ()))
    remarks = once(
        drawn.persons,
        given.remarks,
        start_warnings(transform, drawn.fixed.image, drawn.moving.image),
        geometry,
        result.remarks,
        drawn.fixed.remarks,
        write(arguments, result, drawn),
    )
    if arguments.report:
        write_verdicts(
            arguments.report,
            result,
            drawn.fixed.voxels,
            drawn.moving.image,
            remarks=remarks,
            inputs=inputs(arguments),
            identifiers=identity_of(drawn.fixed.series) if arguments.with_identifiers else None,
            progress=within(progress, 0.75, 1.0),
        )
    progress("done", 1.0, "")
    lines = [f"Result in {arguments.out}", *_summary(result), *(f"Note: {sentence}" for sentence in remarks)]
    verdicts = [verdict.to_json() for verdict in result.verdicts]
    return Outcome(arguments.out.resolve(), tuple(lines), {"verdicts": verdicts, "remarks": remarks})


def _summary(result: Propagation) -> list[str]:
    """A line a structure, the worst first."""
    from ..reports.structures.page import WORDS

    ordered = sorted(result.verdicts, key=lambda v: -v.light)
    return [f"{v.light.name.lower():<6} {v.name}: {WORDS[v.light]}. {' '.join(v.reasons)}" for v in ordered]


COMMAND = Command(
    name="propagate",
    summary="propagate radiotherapy contours onto another scan, with a verdict on each",
    description="""\
Propagate the structures drawn on the moving scan onto the fixed scan, each for itself, and judge each one.

From RTSTRUCT, Slicer segmentation or label map to any of the three; surfaces, curves and points go out as what they
were, or as one of the three. An RTSTRUCT is tied to the fixed series: it lies on its slices and carries its patient and
study, as a planning system needs; --pseudonym puts another name there. The report and what is printed name no patient
unless --with-identifiers is given; structure names, and file names of surfaces, which are their names, are kept.

A green light says that nothing measured speaks against a contour, not that it is right. It is given only where there
was something to hold the contour against: --reference, or --measure-confidence, which asks of the two scans themselves
whether they agree. What it still does not see is in Docs/propagation.md.""",
    usage="--transform FILE --rtstruct FILE --moving-series FOLDER --fixed-series FOLDER --out FILE",
    example="dsir propagate -t result/transform.h5 --rtstruct rs.dcm --moving-series mr/ --fixed-series ct/ "
    "-o rs_on_ct.dcm --report report.html",
    arguments=_arguments,
    run=_run,
)

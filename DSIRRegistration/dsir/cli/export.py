"""``dsir export``: a result as a DICOM registration object, for the planning system."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..progress import Progress
from .command import Command, Outcome
from .options import add_different_patients, add_overwrite, check_output_file


def _arguments(parser: argparse.ArgumentParser) -> None:
    given = parser.add_argument_group("what is there")
    given.add_argument("result", type=Path, metavar="RESULT", help="folder of dsir register, or a transform")
    given.add_argument("--fixed-series", required=True, type=Path, metavar="FOLDER", help="DICOM series that stays")
    given.add_argument("--moving-series", required=True, type=Path, metavar="FOLDER", help="DICOM series that moved")
    output = parser.add_argument_group("output")
    output.add_argument("--out", "-o", required=True, type=Path, metavar="FILE.dcm", help="the object to write")
    output.add_argument("--label", default="DSIR", metavar="TEXT", help="its content label, 16 letters (default: DSIR)")
    output.add_argument("--pseudonym", metavar="NAME", help="stands for the patient")
    add_overwrite(output)
    add_different_patients(output)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    check_output_file(arguments.out, (), overwrite=arguments.overwrite)
    progress("reading", 0.0, "loading the engine")
    from ..workflow.compare import transform_file
    from ..workflow.dicom_export import RegistrationExport
    from ..workflow.findings_beside import report_beside

    transform = transform_file(arguments.result)
    export = RegistrationExport.of(arguments.fixed_series, arguments.moving_series, arguments.different_patients)
    export.check_result(report_beside(transform))
    progress("writing", 0.5, "the DICOM registration object")
    kind = export.write(arguments.out, transform, label=arguments.label, pseudonym=arguments.pseudonym)
    progress("done", 1.0, "")
    lines = (f"Result in {arguments.out}", f"a {kind} registration, not approved", *export.remarks)
    return Outcome(arguments.out.resolve(), lines, {"kind": kind})


COMMAND = Command(
    name="export",
    summary="write a result as a DICOM registration object (REG)",
    description="""\
Write a transform as the DICOM object that planning systems import: a spatial registration where it is linear, else a
deformable spatial registration. It belongs to the fixed series' patient, study and frame of reference, refers to the
images of both series, and is not approved.""",
    usage="RESULT --fixed-series FOLDER --moving-series FOLDER --out FILE.dcm",
    example="dsir export result/ --fixed-series ct/ --moving-series mr/ -o reg.dcm",
    arguments=_arguments,
    run=_run,
)

"""``dsir propagate``: contours of one scan on another, with a verdict on each."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DsirError
from ..progress import Progress, within
from .command import Command, Outcome
from .options import IMAGE_KINDS, TRANSFORM_KINDS, add_machine, add_overwrite, check_output_file, use_threads

if TYPE_CHECKING:
    from ..image import Image
    from ..propagation.propagate import Propagation
    from ..propagation.rt.series import Series
    from ..propagation.structure import StructureSet

KINDS = (".dcm", ".seg.nrrd", ".nii", ".nii.gz")
SOURCES = ("rtstruct", "segmentation", "labels")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--transform", "-t", required=True, type=Path, metavar="FILE", help=f"fixed to moving ({TRANSFORM_KINDS})"
    )
    drawn = parser.add_argument_group("what was drawn on the moving scan (one of these)")
    source = drawn.add_mutually_exclusive_group(required=True)
    source.add_argument("--rtstruct", type=Path, metavar="FILE.dcm", help="an RTSTRUCT; needs --moving-series")
    source.add_argument("--segmentation", type=Path, metavar="FILE.seg.nrrd", help="a Slicer segmentation")
    source.add_argument("--labels", type=Path, metavar="LABELS", help="a label map, 0 is background")
    drawn.add_argument("--names", type=Path, metavar="FILE.csv", help="names of the labels, columns value,name")
    scans = parser.add_argument_group("the scans")
    moving = scans.add_mutually_exclusive_group()
    moving.add_argument("--moving-series", type=Path, metavar="FOLDER", help="DICOM series that was drawn on")
    moving.add_argument(
        "--moving", type=Path, metavar="IMAGE", help=f"the same as an image, for pictures ({IMAGE_KINDS})"
    )
    fixed = scans.add_mutually_exclusive_group(required=True)
    fixed.add_argument("--fixed-series", type=Path, metavar="FOLDER", help="DICOM series that the contours are for")
    fixed.add_argument("--fixed", type=Path, metavar="IMAGE", help="the same as an image; no RTSTRUCT can be written")
    check = parser.add_argument_group("what to check against")
    check.add_argument(
        "--reference", type=Path, metavar="FILE", help="contours drawn on the fixed scan (RTSTRUCT, .seg.nrrd, labels)"
    )
    check.add_argument("--confidence", type=Path, metavar="IMAGE", help="confidence of the registration, 0 to 1")
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
    how.add_argument("--pseudonym", metavar="NAME", help="stands for the patient in the RTSTRUCT")
    output = parser.add_argument_group("output")
    output.add_argument("--out", "-o", required=True, type=Path, metavar="FILE", help=f"one of {', '.join(KINDS)}")
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
    add_overwrite(output)
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    _check(arguments)
    progress("reading", 0.0, "loading the engine")
    use_threads(arguments.threads)
    from ..files.images import read_image
    from ..files.transforms import read_transform
    from ..propagation.propagate import propagate

    transform = read_transform(arguments.transform)
    source, reference, fixed, moving = _read(arguments)
    result = propagate(
        source,
        transform,
        fixed.image.lattice,
        rigid=arguments.rigid,
        reference=reference,
        confidence=read_image(arguments.confidence) if arguments.confidence else None,
        progress=within(progress, 0.1, 0.7),
    )
    progress("writing", 0.7, "the structures")
    remarks = [*result.remarks, *(fixed.series.remarks if fixed.series else ())]
    remarks += _write(arguments, result, fixed)
    if arguments.report:
        from ..propagation.doors import identity_of, write_verdicts

        roles = (*SOURCES, "transform", "reference", "confidence", "moving_series", "moving", "fixed_series", "fixed")
        write_verdicts(
            arguments.report,
            result,
            fixed.image,
            moving.image,
            remarks=remarks,
            inputs={role: getattr(arguments, role) for role in roles},
            identifiers=identity_of(fixed.series) if arguments.with_identifiers else None,
            progress=within(progress, 0.75, 1.0),
        )
    progress("done", 1.0, "")
    lines = [f"Result in {arguments.out}", *_summary(result), *(f"Note: {sentence}" for sentence in remarks)]
    verdicts = [{"name": v.name, "light": v.light.name.lower(), "reasons": list(v.reasons)} for v in result.verdicts]
    return Outcome(arguments.out.resolve(), tuple(lines), {"verdicts": verdicts, "remarks": remarks})


def _check(arguments: argparse.Namespace) -> None:
    """Say before the work what would stop it."""
    if find_spec("pydicom") is None:
        raise DsirError("Contours need the package pydicom: pip install 'dsir-registration[rt]'.")
    outputs = [(arguments.out, KINDS), (arguments.transform_out, ()), (arguments.dose_out, (".nii", ".nii.gz"))]
    if arguments.report:
        outputs += [(arguments.report, (".html",))]
        outputs += [(arguments.report.with_suffix(kind), ()) for kind in (".csv", ".json")]
    for path, kinds in outputs:
        if path:
            check_output_file(path, kinds, overwrite=arguments.overwrite)
    if arguments.rtstruct and not arguments.moving_series:
        raise DsirError("An RTSTRUCT needs --moving-series, the scan that it was drawn on.")
    if arguments.fixed and arguments.reference and arguments.reference.suffix.lower() == ".dcm":
        raise DsirError("A reference RTSTRUCT needs --fixed-series, the scan that it was drawn on.")
    if arguments.out.suffix.lower() == ".dcm" and not arguments.fixed_series:
        raise DsirError("An RTSTRUCT is tied to a DICOM series; give --fixed-series, or write .seg.nrrd or .nii.gz.")
    if bool(arguments.dose) != bool(arguments.dose_out):
        raise DsirError("A dose needs both --dose and --dose-out.")
    inputs = [getattr(arguments, name) for name in (*SOURCES, "transform", "reference", "dose", "confidence")]
    for path, _ in outputs:
        if path and path.exists() and any(i and i.exists() and path.samefile(i) for i in inputs):
            raise DsirError(f"{path} is an input; choose another place for the result.")


def _read(arguments: argparse.Namespace) -> tuple[StructureSet, StructureSet | None, _Scan, _Scan]:
    """Source, reference, fixed and moving scan."""
    from ..propagation.doors import read_structures
    from ..propagation.grids import overlap
    from ..propagation.rt.reading import read_rtstruct, referenced_series
    from ..propagation.segmentations import read_names

    wanted = referenced_series(arguments.rtstruct) if arguments.rtstruct else ()
    fixed = _scan(arguments.fixed_series, arguments.fixed)
    moving = _scan(arguments.moving_series, arguments.moving, wanted)
    names = read_names(arguments.names) if arguments.names else None
    if arguments.rtstruct:
        source = read_rtstruct(arguments.rtstruct, moving.series)
    else:
        source = read_structures(arguments.segmentation or arguments.labels, names=names)
        if moving.image is not None and not overlap(source.scan, moving.image.lattice):
            raise DsirError(
                "What was drawn lies wholly outside the moving scan; are they of the same patient and frame?"
            )
    reference = None
    if arguments.reference:
        reference = read_structures(arguments.reference, series=fixed.series, names=names)
    return source, reference, fixed, moving


@dataclass(frozen=True)
class _Scan:
    series: Series | None = None
    image: Image | None = None


def _scan(folder: Path | None, file: Path | None, wanted: tuple[str, ...] = ()) -> _Scan:
    from ..files.images import read_image

    if folder is None:
        return _Scan(image=read_image(file) if file else None)
    from ..propagation.rt.series import read_series

    series = read_series(folder, wanted=wanted)
    return _Scan(series, series.volume())


def _write(arguments: argparse.Namespace, result: Propagation, fixed: _Scan) -> list[str]:
    """All but the report; what a reader must know of it."""
    from ..files.transforms import write_transform
    from ..propagation.doors import write_structures

    remarks = write_structures(
        arguments.out,
        result,
        fixed.image.lattice,
        series=fixed.series,
        holes=arguments.holes,
        pseudonym=arguments.pseudonym,
    )
    if arguments.transform_out:
        write_transform(arguments.transform_out, result.transform)
    if arguments.dose:
        from ..propagation.dose import NOT_VALIDATED, read_dose, view_dose, write_dose_view

        view = view_dose(read_dose(arguments.dose), result.transform, fixed.image.lattice)
        write_dose_view(arguments.dose_out, view)
        remarks.append(f"The dose in {arguments.dose_out.name} is a {NOT_VALIDATED}.")
    return remarks


def _summary(result: Propagation) -> list[str]:
    """A line a structure, the worst first."""
    words = ("fine as far as measured", "look closely", "do not use as it is")
    ordered = sorted(result.verdicts, key=lambda v: -v.light)
    return [f"{v.light.name.lower():<6} {v.name}: {words[v.light]}. {' '.join(v.reasons)}" for v in ordered]


COMMAND = Command(
    name="propagate",
    summary="carry radiotherapy contours onto another scan, with a verdict on each",
    description="""\
Carry the structures drawn on the moving scan onto the fixed scan, each for itself, and judge each one.

From RTSTRUCT, Slicer segmentation or label map to any of the three. An RTSTRUCT is tied to the fixed series: it lies on
its slices and carries its patient and study, as a planning system needs; --pseudonym puts another name there. The
report and what is printed name no patient unless --with-identifiers is given; structure names are kept as they are.""",
    usage="--transform FILE --rtstruct FILE --moving-series FOLDER --fixed-series FOLDER --out FILE",
    example="dsir propagate -t result/transform.h5 --rtstruct rs.dcm --moving-series mr/ --fixed-series ct/ "
    "-o rs_on_ct.dcm --report report.html",
    arguments=_arguments,
    run=_run,
)

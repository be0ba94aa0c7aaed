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
    from ..propagation.drawings import Drawing
    from ..propagation.propagate import Propagation
    from ..propagation.scans import Scan
    from ..propagation.structure import StructureSet

KINDS = (".dcm", ".seg.nrrd", ".nii", ".nii.gz")
ROLES = ("transform", "rtstruct", "segmentation", "labels", "moving_series", "moving", "fixed_series", "fixed")
ROLES += ("confidence", "dose")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--transform", "-t", required=True, type=Path, metavar="FILE", help=f"fixed to moving ({TRANSFORM_KINDS})"
    )
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
        help="surfaces, curves and points (.vtp .vtk .stl .ply .mrk.json .csv)",
    )
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
        "--reference",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the same drawn on the fixed scan (RTSTRUCT, .seg.nrrd, labels, or surfaces)",
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
    add_overwrite(output)
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    _check(arguments)
    progress("reading", 0.0, "loading the engine")
    use_threads(arguments.threads)
    from ..files.images import read_image
    from ..files.transforms import read_transform
    from ..propagation.doors import identity_of, write_verdicts
    from ..propagation.propagate import propagate

    transform = read_transform(arguments.transform)
    drawn = _read(arguments)
    result = propagate(
        drawn.source,
        transform,
        drawn.fixed.image.lattice,
        rigid=arguments.rigid,
        reference=drawn.reference,
        confidence=read_image(arguments.confidence) if arguments.confidence else None,
        progress=within(progress, 0.1, 0.7),
    )
    progress("writing", 0.7, "the structures")
    remarks = [*result.remarks, *drawn.fixed.remarks, *_write(arguments, result, drawn)]
    if arguments.report:
        write_verdicts(
            arguments.report,
            result,
            drawn.fixed.image,
            drawn.moving.image,
            remarks=remarks,
            inputs=_inputs(arguments),
            identifiers=identity_of(drawn.fixed.series) if arguments.with_identifiers else None,
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
    outputs = [(arguments.transform_out, ()), (arguments.dose_out, (".nii", ".nii.gz"))]
    if _as_drawn(arguments) and len(arguments.surfaces) > 1:
        from ..files.atomic import check_output_folder

        check_output_folder(arguments.out, overwrite=arguments.overwrite)
    else:
        outputs += [(arguments.out, (arguments.surfaces[0].suffix.lower(),) if _as_drawn(arguments) else KINDS)]
    if arguments.report:
        outputs += [(arguments.report, (".html",))]
        outputs += [(arguments.report.with_suffix(kind), ()) for kind in (".csv", ".json")]
    for path, kinds in outputs:
        if path:
            check_output_file(path, kinds, overwrite=arguments.overwrite)
    if arguments.rtstruct and not arguments.moving_series:
        raise DsirError("An RTSTRUCT needs --moving-series, the scan that it was drawn on.")
    if arguments.fixed and any(path.suffix.lower() == ".dcm" for path in arguments.reference or ()):
        raise DsirError("A reference RTSTRUCT needs --fixed-series, the scan that it was drawn on.")
    if arguments.out.suffix.lower() == ".dcm" and not arguments.fixed_series:
        raise DsirError("An RTSTRUCT is tied to a DICOM series; give --fixed-series, or write .seg.nrrd or .nii.gz.")
    if bool(arguments.dose) != bool(arguments.dose_out):
        raise DsirError("A dose needs both --dose and --dose-out.")
    inputs = [path for path in _inputs(arguments).values() if path and path.exists()]
    for path, _ in outputs:
        if path and path.exists() and any(path.samefile(known) for known in inputs):
            raise DsirError(f"{path} is an input; choose another place for the result.")


def _as_drawn(arguments: argparse.Namespace) -> bool:
    """Whether surfaces go out as what they were, and not as contours or labels."""
    return bool(arguments.surfaces) and not arguments.out.name.lower().endswith(KINDS)


def _inputs(arguments: argparse.Namespace) -> dict[str, Path | None]:
    """Role to file or folder."""
    found = {role: getattr(arguments, role) for role in ROLES}
    for role in ("surfaces", "reference"):
        found |= {f"{role} {n}": path for n, path in enumerate(getattr(arguments, role) or (), start=1)}
    return found


@dataclass(frozen=True)
class _Drawn:
    """What was read; ``files`` are those of surfaces and curves."""

    source: StructureSet
    reference: StructureSet | None
    fixed: Scan
    moving: Scan
    files: tuple[Drawing, ...] = ()


def _read(arguments: argparse.Namespace) -> _Drawn:
    from ..propagation.doors import read_structures
    from ..propagation.drawings import read_drawings
    from ..propagation.grids import overlap
    from ..propagation.rt.reading import read_rtstruct, referenced_series
    from ..propagation.scans import read_scan
    from ..propagation.segmentations import read_names

    wanted = referenced_series(arguments.rtstruct) if arguments.rtstruct else ()
    fixed = read_scan(arguments.fixed_series, arguments.fixed)
    moving = read_scan(arguments.moving_series, arguments.moving, wanted)
    names = read_names(arguments.names) if arguments.names else None
    files: tuple[Drawing, ...] = ()
    scan = moving.image.lattice if moving.image else None
    if arguments.rtstruct:
        source = read_rtstruct(arguments.rtstruct, moving.series)
    elif arguments.surfaces:
        source, files = read_drawings(arguments.surfaces, scan)
    else:
        source = read_structures(arguments.segmentation or arguments.labels, names=names)
    drawn_on = [s.lattice for s in source.structures] if files else [source.scan]
    points = [p for mark in source.marks for p in mark.points] if files else []
    if scan and not any(overlap(grid, scan) for grid in drawn_on) and not any(scan.contains(p) for p in points):
        raise DsirError("What was drawn lies wholly outside the moving scan; are they of the same patient and frame?")
    reference = None
    if arguments.reference:
        reference = read_structures(*arguments.reference, series=fixed.series, names=names)
    return _Drawn(source, reference, fixed, moving, files)


def _write(arguments: argparse.Namespace, result: Propagation, drawn: _Drawn) -> list[str]:
    """All but the report; what a reader must know of it."""
    from ..files.transforms import write_transform
    from ..propagation.doors import write_drawings, write_structures

    if _as_drawn(arguments):
        remarks = write_drawings(arguments.out, drawn.files, result, overwrite=arguments.overwrite)
    else:
        remarks = write_structures(
            arguments.out,
            result,
            drawn.fixed.image.lattice,
            series=drawn.fixed.series,
            holes=arguments.holes,
            pseudonym=arguments.pseudonym,
        )
    if arguments.transform_out:
        write_transform(arguments.transform_out, result.transform)
    if arguments.dose:
        from ..propagation.dose import NOT_VALIDATED, read_dose, view_dose, write_dose_view

        view = view_dose(read_dose(arguments.dose), result.transform, drawn.fixed.image.lattice)
        write_dose_view(arguments.dose_out, view)
        remarks.append(f"The dose is a {NOT_VALIDATED}.")
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

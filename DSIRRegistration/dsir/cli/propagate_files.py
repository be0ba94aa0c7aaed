"""What ``dsir propagate`` reads and writes, and what it refuses before the work."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DsirError
from .options import check_output_file

if TYPE_CHECKING:
    from ..geometry.image import Image
    from ..shapes.structure import StructureSet
    from ..structures.propagate import Propagation
    from ..structures.scans import Scan
    from ..structures.surfaces_and_points import GeometryFile

KINDS = (".dcm", ".seg.nrrd", ".nii", ".nii.gz")
SCANS = ("moving_series", "moving", "fixed_series", "fixed")
ROLES = ("transform", "rtstruct", "segmentation", "labels", *SCANS, "confidence", "dose")


def check(arguments: argparse.Namespace) -> None:
    """Say before the work what would stop it."""
    outputs = [(arguments.transform_out, ()), (arguments.dose_out, (".nii", ".nii.gz"))]
    if as_drawn(arguments) and len(arguments.surfaces) > 1:
        from ..files.output_folder import check_output_folder

        check_output_folder(arguments.out, overwrite=arguments.overwrite)
    else:
        outputs += [(arguments.out, (arguments.surfaces[0].suffix.lower(),) if as_drawn(arguments) else KINDS)]
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
    if arguments.measure_confidence and not (arguments.moving_series or arguments.moving):
        raise DsirError("To measure the confidence both scans are needed; give --moving or --moving-series.")
    if bool(arguments.dose) != bool(arguments.dose_out):
        raise DsirError("A dose needs both --dose and --dose-out.")


def as_drawn(arguments: argparse.Namespace) -> bool:
    """Whether surfaces go out as what they were, and not as contours or labels."""
    return bool(arguments.surfaces) and not arguments.out.name.lower().endswith(KINDS)


def inputs(arguments: argparse.Namespace) -> dict[str, Path | None]:
    """Role to file or folder."""
    found = {role: getattr(arguments, role) for role in ROLES}
    for role in ("surfaces", "reference"):
        found |= {f"{role} {n}": path for n, path in enumerate(getattr(arguments, role) or (), start=1)}
    return found


@dataclass(frozen=True)
class Drawn:
    """What was read; ``files`` are those of surfaces and curves."""

    source: StructureSet
    reference: StructureSet | None
    fixed: Scan
    moving: Scan
    files: tuple[GeometryFile, ...] = ()
    persons: tuple[str, ...] = ()
    dose: Image | None = None
    remarks: tuple[str, ...] = ()


def read(arguments: argparse.Namespace) -> Drawn:
    from ..geometry.subgrids import overlap
    from ..rt.dose import dose_remarks, read_dose
    from ..rt.structures_in import read_rtstruct, referenced_series, structure_set
    from ..structures.label_names import read_names
    from ..structures.scans import read_scan
    from ..structures.structure_io import read_structures
    from ..structures.surfaces_and_points import read_geometry_files
    from ..workflow.identity_gate import check_one_person, identities

    dicom = ("fixed_series", "fixed", "moving_series", "moving", "rtstruct", "segmentation", "labels", "dose")
    persons = check_one_person(
        identities({role: getattr(arguments, role) for role in dicom}), different_patients=arguments.different_patients
    )
    wanted = referenced_series(structure_set(arguments.rtstruct)) if arguments.rtstruct else ()
    fixed = read_scan(arguments.fixed_series, arguments.fixed)
    moving = read_scan(arguments.moving_series, arguments.moving, wanted)
    names = read_names(arguments.names) if arguments.names else None
    files: tuple[GeometryFile, ...] = ()
    scan = moving.image.lattice if moving.image else None
    if arguments.rtstruct:
        assert moving.series is not None  # check() asked for it
        source = read_rtstruct(arguments.rtstruct, moving.series)
    elif arguments.surfaces:
        source, files = read_geometry_files(arguments.surfaces, scan)
    else:
        source = read_structures(arguments.segmentation or arguments.labels, series=moving.series, names=names)
    drawn_on = [s.lattice for s in source.structures] if files else [source.scan]
    points = [p for point_set in source.point_sets for p in point_set.points] if files else []
    if scan and not any(overlap(grid, scan) for grid in drawn_on) and not any(scan.contains(p) for p in points):
        raise DsirError("What was drawn lies wholly outside the moving scan; are they of the same patient and frame?")
    if scan:  # a segmentation ends with what was drawn, and only the scan says what lies beyond
        source = replace(source, scan=scan)
    reference = None
    if arguments.reference:
        reference = read_structures(*arguments.reference, series=fixed.series, names=names)
    dose = read_dose(arguments.dose) if arguments.dose else None
    said = dose_remarks(arguments.dose, moving.series) if arguments.dose else ()
    return Drawn(source, reference, fixed, moving, files, persons, dose, said)


def write(arguments: argparse.Namespace, result: Propagation, drawn: Drawn) -> list[str]:
    """All but the report; what a reader must know of it."""
    from ..files.transforms import write_transform
    from ..structures.structure_io import write_geometry_files, write_structures
    from ..workflow.identity_gate import LABEL

    if as_drawn(arguments):
        remarks = write_geometry_files(arguments.out, drawn.files, result, overwrite=arguments.overwrite)
    else:
        remarks = write_structures(
            arguments.out,
            result,
            drawn.fixed.lattice,
            series=drawn.fixed.series,
            label=LABEL if drawn.persons else "DSIR",
            holes=arguments.holes,
            pseudonym=arguments.pseudonym,
        )
    if arguments.transform_out:
        write_transform(arguments.transform_out, result.transform)
    if drawn.dose is not None:
        from ..rt.dose import NOT_VALIDATED, view_dose, write_dose_view

        view = view_dose(drawn.dose, result.transform, drawn.fixed.lattice)
        write_dose_view(arguments.dose_out, view)
        remarks += [*drawn.remarks, f"The dose is a {NOT_VALIDATED}."]
    return remarks

"""Structures from and to files of every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..dicom.series import Series
from ..errors import DsirError
from ..files.images import ITK, NIFTI, suffix
from ..files.output_folder import OutputFolder
from ..files.seg_nrrd import is_slicer_segmentation
from ..geometry.lattice import Lattice
from ..rt.segmentation_in import is_segmentation
from ..rt.segmentation_out import write_segmentation_object
from ..rt.structures_in import read_rtstruct
from ..rt.structures_out import Holes, write_rtstruct
from ..shapes.structure import PointSet, Structure, StructureSet, short_names
from .propagate import Propagation
from .segmentations import (
    on_grid,
    read_dicom_segmentation,
    read_label_structures,
    read_segmentation,
    write_label_structures,
    write_segmentation,
)
from .surfaces_and_points import KINDS, GeometryFile, read_geometry_files, write_geometry_file


def read_structures(
    path: str | Path, *more: str | Path, series: Series | None = None, names: Mapping[int, str] | None = None
) -> StructureSet:
    """Read by the kind of file: a segmentation of Slicer (whatever its name), a label map, surfaces and curves, or else
    an RTSTRUCT.

    Args:
        more: further surfaces and curves; the other kinds come one at a time.
        series: the scan an RTSTRUCT was drawn on; a DICOM segmentation has to lie on it, too.
        names: of the values of a label map.

    Raises:
        DsirError: unreadable, an RTSTRUCT without its series, or several files of which one is no surface.
    """
    path = Path(path)
    if path.suffix.lower() in KINDS:
        return read_geometry_files([path, *more])[0]
    if more:
        raise DsirError(f"{path} is not a surface or curve, and only of those several are read together.")
    if is_slicer_segmentation(path):
        return read_segmentation(path)
    if suffix(path) in (*NIFTI, *ITK):
        return read_label_structures(path, names)
    if is_segmentation(path):
        return read_dicom_segmentation(path, series)
    if series is None:
        raise DsirError(f"{path} is read as an RTSTRUCT, which needs the DICOM series that it was drawn on.")
    return read_rtstruct(path, series)


def write_structures(
    path: str | Path,
    result: Propagation,
    fixed: Lattice,
    *,
    series: Series | None = None,
    label: str = "DSIR",
    holes: Holes = "keyhole",
    pseudonym: str | None = None,
) -> list[str]:
    """Write by the kind of file; what could not be written, in sentences.

    ``.seg.dcm`` is a DICOM segmentation, ``.dcm`` an RTSTRUCT, ``.seg.nrrd`` a Slicer segmentation; all else is a
    label map.

    Raises:
        DsirError: the file cannot be written, or nothing of any structure is left.
    """
    path, remarks = Path(path), list[str]()
    if not result.structures and not result.point_sets:
        raise DsirError("None of the structures lies on the fixed scan, so nothing was written; is it its transform?")
    structures, point_sets = result.structures, result.point_sets
    if suffix(path) == ".dcm":
        structures, point_sets, remarks = _named_for_dicom(structures, point_sets)
    if path.name.lower().endswith(".seg.dcm"):
        if series is None:
            raise DsirError("A DICOM segmentation is tied to a DICOM series; the fixed scan has to be one.")
        masks = [on_grid(structure, fixed) for structure in structures]
        write_segmentation_object(path, structures, masks, series, label=label, pseudonym=pseudonym)
    elif suffix(path) == ".dcm":
        if series is None:
            raise DsirError("An RTSTRUCT is tied to a DICOM series; the fixed scan has to be one.")
        counts = write_rtstruct(
            path, structures, series, point_sets=point_sets, label=label, holes=holes, pseudonym=pseudonym
        )
        missing = [name for name, count in counts.items() if not count]
        remarks += [f"{name} has no contour on the slices that are there." for name in missing]
    else:
        if result.point_sets:
            names = ", ".join(point_set.name for point_set in result.point_sets)
            remarks.append(f"Points and curves are written to RTSTRUCT or to files of their own kind only: {names}.")
        if path.name.lower().endswith(".seg.nrrd"):
            write_segmentation(path, result.structures, fixed)
        else:
            remarks += write_label_structures(path, result.structures, fixed)
    return remarks


LONGEST = 64
"""Characters of a name in DICOM (PS3.5, value representation LO)."""


def _named_for_dicom(
    structures: Sequence[Structure], point_sets: Sequence[PointSet]
) -> tuple[tuple[Structure, ...], tuple[PointSet, ...], list[str]]:
    """Structures and points under names that DICOM can hold, and what had to change."""
    given = [structure.name for structure in structures] + [point_set.name for point_set in point_sets]
    given = [" ".join(name.splitlines()) for name in given]
    names, said = short_names(given, LONGEST)
    of_structures, of_marks = names[: len(structures)], names[len(structures) :]
    return (
        tuple(replace(item, name=name) for item, name in zip(structures, of_structures, strict=True)),
        tuple(replace(item, name=name) for item, name in zip(point_sets, of_marks, strict=True)),
        said,
    )


def write_geometry_files(
    path: str | Path, drawn: Sequence[GeometryFile], result: Propagation, *, overwrite: bool = False
) -> list[str]:
    """Write surfaces and curves as copies of their files: one to ``path``, several into the folder ``path``.

    Raises:
        DsirError: as :func:`.write_geometry_file`, or two of the files have one name.
    """
    if len(drawn) == 1:
        return write_geometry_file(path, drawn[0], result.transform)
    if len({d.path.name for d in drawn}) < len(drawn):
        raise DsirError("Two of the surfaces have the same file name, so they cannot go to one folder.")
    with OutputFolder(path, overwrite=overwrite) as folder:
        said = [write_geometry_file(folder.path / d.path.name, d, result.transform) for d in drawn]
    return [sentence for sentences in said for sentence in sentences]


def identity_of(series: Series | None) -> dict[str, str]:
    """Patient and series in words, for a report whose reader asked for them."""
    if series is None:
        return {}
    header = series.header
    return {
        "patient": f"{header.get('PatientName', '')} ({header.get('PatientID', '')})",
        "fixed series": " ".join(str(header.get(k, "")) for k in ("Modality", "StudyDate", "SeriesDescription")),
    }

"""Structures from and to files of every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..dicom.series import Series
from ..errors import DsirError
from ..files.images import suffix
from ..files.output_folder import OutputFolder
from ..geometry.lattice import Lattice
from ..rt.segmentation_in import is_segmentation
from ..rt.segmentation_out import write_segmentation_object
from ..rt.structures_in import read_rtstruct
from ..rt.structures_out import Holes, write_rtstruct
from ..shapes.structure import PointMark, Structure, StructureSet, short_names
from . import surfaces_and_points as drawings
from .propagate import Propagation
from .segmentations import (
    on_grid,
    read_dicom_segmentation,
    read_label_structures,
    read_segmentation,
    write_label_structures,
    write_segmentation,
)
from .surfaces_and_points import Drawing

LABELS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


def read_structures(
    path: str | Path, *more: str | Path, series: Series | None = None, names: Mapping[int, str] | None = None
) -> StructureSet:
    """Read by the kind of file: ``.seg.nrrd``, a label map, surfaces and curves, or else an RTSTRUCT.

    Args:
        more: further surfaces and curves; the other kinds come one at a time.
        series: the scan an RTSTRUCT was drawn on.
        names: of the values of a label map.

    Raises:
        DsirError: unreadable, an RTSTRUCT without its series, or several files of which one is no surface.
    """
    path = Path(path)
    if path.suffix.lower() in drawings.KINDS:
        return drawings.read_drawings([path, *more])[0]
    if more:
        raise DsirError(f"{path} is not a surface or curve, and only of those several are read together.")
    if path.name.lower().endswith(".seg.nrrd"):
        return read_segmentation(path)
    if suffix(path) in LABELS:
        return read_label_structures(path, names)
    if is_segmentation(path):
        return read_dicom_segmentation(path)
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
    """Write by the kind of file; what was lost, in sentences.

    ``.seg.dcm`` is a DICOM segmentation, ``.dcm`` an RTSTRUCT, ``.seg.nrrd`` a Slicer segmentation; all else is a
    label map.

    Raises:
        DsirError: the file cannot be written, or nothing of any structure is left.
    """
    path, remarks = Path(path), list[str]()
    if not result.structures and not result.marks:
        raise DsirError("None of the structures lies on the fixed scan, so nothing was written; is it its transform?")
    structures, marks = result.structures, result.marks
    if suffix(path) == ".dcm":
        structures, marks, remarks = _named_for_dicom(structures, marks)
    if path.name.lower().endswith(".seg.dcm"):
        if series is None:
            raise DsirError("A DICOM segmentation is tied to a DICOM series; the fixed scan has to be one.")
        masks = [on_grid(structure, fixed) for structure in structures]
        write_segmentation_object(path, structures, masks, series, label=label, pseudonym=pseudonym)
    elif suffix(path) == ".dcm":
        if series is None:
            raise DsirError("An RTSTRUCT is tied to a DICOM series; the fixed scan has to be one.")
        counts = write_rtstruct(path, structures, series, marks=marks, label=label, holes=holes, pseudonym=pseudonym)
        lost = [name for name, count in counts.items() if not count]
        remarks += [f"{name} has no contour on the slices that are there." for name in lost]
    else:
        if result.marks:
            names = ", ".join(mark.name for mark in result.marks)
            remarks.append(f"Points and curves are written to RTSTRUCT or to files of their own kind only: {names}.")
        if path.name.lower().endswith(".seg.nrrd"):
            write_segmentation(path, result.structures, fixed)
        else:
            remarks += write_label_structures(path, result.structures, fixed)
    return remarks


LONGEST = 64
"""Characters of a name in DICOM (PS3.5, value representation LO)."""


def _named_for_dicom(
    structures: Sequence[Structure], marks: Sequence[PointMark]
) -> tuple[tuple[Structure, ...], tuple[PointMark, ...], list[str]]:
    """Structures and points under names that DICOM can hold, and what had to change."""
    given = [structure.name for structure in structures] + [mark.name for mark in marks]
    names, said = short_names(given, LONGEST)
    of_structures, of_marks = names[: len(structures)], names[len(structures) :]
    return (
        tuple(replace(item, name=name) for item, name in zip(structures, of_structures, strict=True)),
        tuple(replace(item, name=name) for item, name in zip(marks, of_marks, strict=True)),
        said,
    )


def write_drawings(
    path: str | Path, drawn: Sequence[Drawing], result: Propagation, *, overwrite: bool = False
) -> list[str]:
    """Write surfaces and curves as copies of their files: one to ``path``, several into the folder ``path``.

    Raises:
        DsirError: as :func:`.drawings.write_drawing`, or two of the files have one name.
    """
    if len(drawn) == 1:
        return drawings.write_drawing(path, drawn[0], result.transform)
    if len({d.path.name for d in drawn}) < len(drawn):
        raise DsirError("Two of the surfaces have the same file name, so they cannot go to one folder.")
    with OutputFolder(path, overwrite=overwrite) as folder:
        said = [drawings.write_drawing(folder.path / d.path.name, d, result.transform) for d in drawn]
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

"""Structures from and to files of every kind, and the report's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..dicom.series import Series
from ..dicom.structures_in import read_rtstruct
from ..dicom.structures_out import Holes, write_rtstruct
from ..errors import DsirError
from ..files.atomic import OutputFolder
from ..files.images import suffix
from ..files.report import run_report, write_report
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..progress import Progress, silent
from ..reports.structures import write_page
from ..reports.structures.pictures import draw
from . import surfaces_and_points as drawings
from . import tables
from .propagate import Propagation
from .segmentations import read_label_structures, read_segmentation, write_label_structures, write_segmentation
from .structure import StructureSet
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
    """Write by the kind of file: ``.dcm`` (RTSTRUCT), ``.seg.nrrd``, or a label map; what was lost, in sentences.

    Raises:
        DsirError: the file cannot be written, or nothing of any structure is left.
    """
    path, remarks = Path(path), []
    if not result.structures and not result.marks:
        raise DsirError("None of the structures lies on the fixed scan, so nothing was written; is it its transform?")
    if suffix(path) == ".dcm":
        if series is None:
            raise DsirError("An RTSTRUCT is tied to a DICOM series; the fixed scan has to be one.")
        counts = write_rtstruct(
            path, result.structures, series, marks=result.marks, label=label, holes=holes, pseudonym=pseudonym
        )
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


def write_verdicts(
    page: str | Path,
    result: Propagation,
    fixed: Image,
    moving: Image | None,
    *,
    remarks: Sequence[str] = (),
    inputs: Mapping[str, str | Path | None] | None = None,
    identifiers: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> None:
    """Write ``report.html`` and beside it ``report.csv`` and ``report.json``.

    Args:
        inputs: role to file. Their hashes are kept, their names only with ``identifiers``.
        identifiers: what names the patient, heading to text; nothing does by default.
    """
    page = Path(page)
    pictures = {}
    for n, verdict in enumerate(result.verdicts):
        progress("report", n / len(result.verdicts), f"pictures of structure {n + 1} of {len(result.verdicts)}")
        reference = result.references.get(verdict.name)
        pictures[verdict.name] = draw(verdict, fixed, moving, result.transform, reference=reference)
    write_page(page, result.verdicts, pictures, remarks=remarks, facts={**(identifiers or {}), **_grids(fixed, moving)})
    tables.write_table(page.with_suffix(".csv"), result.verdicts)
    facts = tables.facts(result.verdicts, remarks, {"identifiers": dict(identifiers)} if identifiers else None)
    report = run_report("propagate", inputs=inputs or {}, settings={}, facts=facts)
    if not identifiers:
        for found in report["inputs"].values():
            found.pop("name", None)
    write_report(page.with_suffix(".json"), report)


def identity_of(series: Series | None) -> dict[str, str]:
    """Patient and series in words, for a report whose reader asked for them."""
    if series is None:
        return {}
    header = series.header
    return {
        "patient": f"{header.get('PatientName', '')} ({header.get('PatientID', '')})",
        "fixed series": " ".join(str(header.get(k, "")) for k in ("Modality", "StudyDate", "SeriesDescription")),
    }


def _grids(fixed: Image, moving: Image | None) -> dict[str, str]:
    return {"fixed scan": _grid(fixed.lattice)} | ({"moving scan": _grid(moving.lattice)} if moving else {})


def _grid(lattice: Lattice) -> str:
    size = " × ".join(str(n) for n in lattice.shape)
    return f"{size} voxels of {' × '.join(f'{s:.3g}' for s in lattice.spacing)} mm"

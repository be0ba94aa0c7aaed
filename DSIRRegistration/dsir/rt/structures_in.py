"""RTSTRUCT to structures on the scan that they were drawn on; what cannot be used is said, the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from ..dicom.dataset import read_object, refusing_damage, text, whole
from ..dicom.series import Series
from ..errors import DsirError
from ..shapes.stacking import Stack, stack
from ..shapes.structure import PointSet, Role, Structure, StructureSet, colour_of, unique_names
from .contours_in import sorted_contours

HOLLOW = 0.5
"""Share of a structure's area from which on its holes are named: the inner outlines may have been meant otherwise."""


def read_rtstruct(path: str | Path, series: Series) -> StructureSet:
    """Read a structure set.

    Args:
        series: the scan it was drawn on.

    Raises:
        DsirError: not an RTSTRUCT, or nothing in it can be used; the sentence says why.
    """
    path = Path(path)
    dataset = structure_set(path)
    listed = list(dataset.get("StructureSetROISequence") or ())
    rois = _numbered(listed, "ROINumber")
    if not rois:
        raise DsirError(f"{path} holds no structures.")
    shared = _shared(listed)
    names, remarks = unique_names([_name(roi, number) for number, roi in rois.items()])
    remarks += _unnumbered(listed, rois)
    drawn = _drawn(dataset)
    observed = _numbered(dataset.get("RTROIObservationsSequence"), "ReferencedROINumber")
    if "RTROIObservationsSequence" not in dataset:
        remarks.append("The structure set lacks its last part (RT ROI Observations): it may be cut short.")
    structures, point_sets = [], []
    for name, (number, roi) in zip(names, rois.items(), strict=True):
        refusal = shared.get(number) or _foreign(roi, drawn.get(number), series)
        contours = (drawn[number].get("ContourSequence") or ()) if number in drawn else ()
        if refusal or not contours:
            remarks.append(f"{name} is left out: {refusal or 'it has no contours'}.")
            continue
        colour, role = _colour(drawn[number], number), _role(observed[number]) if number in observed else Role()
        found = sorted_contours(contours, series.lattice)
        said = [f"{_counted(count, 'contour', name)} left out: {what}." for what, count in found.faults.items()]
        if found.points:
            point_sets.append(PointSet(name, np.array(found.points), number, colour, role))
        if found.outlines:
            built = stack(found.outlines, series.lattice, xor=found.xor)
            said += _told(built, name)
            structures.append(Structure(name, built.distance, built.lattice, number, colour, role, tuple(said)))
        elif not found.points:
            why = "; ".join(f"{count} because {what}" for what, count in found.faults.items())
            remarks.append(f"{name} is left out: its contours cannot be used: {why}.")
    nowhere = [n for n, roi in rois.items() if not text(roi, "ReferencedFrameOfReferenceUID")]
    if any(not _names(drawn.get(number), series) for number in nowhere):
        remarks.append("The structure set does not say on which scan it was drawn: look where its contours lie.")
    if not structures and not point_sets:
        raise DsirError(f"Nothing in {path} can be used. {' '.join(remarks)}")
    label = str(dataset.get("StructureSetLabel", "") or "")
    if series.gaps:
        remarks.insert(0, f"{series.gaps}; what was drawn is interpolated across.")
    return StructureSet(series.lattice, tuple(structures), tuple(point_sets), tuple(remarks), label)


def structure_set(path: str | Path) -> Dataset:
    """The RTSTRUCT as pydicom has it, its texts decoded.

    Raises:
        DsirError: missing, not DICOM, damaged, or another kind of object.
    """
    path = Path(path)
    dataset = read_object(path, "RTSTRUCT", "an RTSTRUCT")
    with refusing_damage(path):
        dataset.decode()
    return dataset


def referenced_series(dataset: Dataset) -> tuple[str, ...]:
    """UIDs of the series that an RTSTRUCT says it was drawn on."""
    found = []
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            found += [text(s, "SeriesInstanceUID") for s in study.get("RTReferencedSeriesSequence") or ()]
    return tuple(found)


def frames_of_reference(dataset: Dataset) -> frozenset[str]:
    """UIDs of the frames of reference that an RTSTRUCT's structures lie in."""
    rois = dataset.get("StructureSetROISequence") or ()
    return frozenset(uid for roi in rois if (uid := text(roi, "ReferencedFrameOfReferenceUID")))


def _numbered(items: Iterable[Dataset] | None, key: str) -> dict[int, Dataset]:
    """Items by their number, the first of each; those without one are of no use."""
    found: dict[int, Dataset] = {}
    for item in items or ():
        number = whole(item, key)
        if number is not None:
            found.setdefault(number, item)
    return found


def _drawn(dataset: Dataset) -> dict[int, Dataset]:
    """What was drawn of each ROI; some writers give one several items, whose contours belong together."""
    listed = list(dataset.get("ROIContourSequence") or ())
    found = _numbered(listed, "ReferencedROINumber")
    for number, item in found.items():
        same = [other for other in listed if whole(other, "ReferencedROINumber") == number]
        if len(same) > 1:
            item.ContourSequence = [contour for other in same for contour in other.get("ContourSequence") or ()]
    return found


def _shared(listed: Iterable[Dataset]) -> dict[int, str]:
    """Numbers that structures of several names bear, and why what was drawn under them is nobody's."""
    names: dict[int, set[str]] = {}
    for roi in listed:
        number = whole(roi, "ROINumber")
        if number is not None:
            names.setdefault(number, set()).add(_name(roi, number))
    why = "several structures have its number {}, and nobody knows whose contours are whose"
    return {number: why.format(number) for number, called in names.items() if len(called) > 1}


def _unnumbered(listed: Iterable[Dataset], rois: dict[int, Dataset]) -> list[str]:
    """A sentence for each structure that nothing can refer to."""
    kept = {id(roi) for roi in rois.values()}
    said = []
    for roi in listed:
        number = whole(roi, "ROINumber")
        if id(roi) not in kept:
            why = "it has no number" if number is None else f"its number {number} is another structure's"
            said.append(f"{_name(roi, number or 0)} is left out: {why}.")
    return said


def _foreign(roi: Dataset, drawn: Dataset | None, series: Series) -> str:
    """Why a ROI does not belong to the series; empty when it does.

    A frame of reference that differs is forgiven where the contours name images of this very series.
    """
    frame = text(roi, "ReferencedFrameOfReferenceUID")
    if not frame or not series.frame_of_reference or frame == series.frame_of_reference or _names(drawn, series):
        return ""
    return "it was drawn in another frame of reference than the moving series has"


def _names(drawn: Dataset | None, series: Series) -> bool:
    """Whether contours name an image of the series."""
    known = {s.sop_instance for s in series.slices.values()}
    contours = (drawn.get("ContourSequence") or ()) if drawn is not None else ()
    images = (image for contour in contours for image in contour.get("ContourImageSequence") or ())
    return any(text(image, "ReferencedSOPInstanceUID") in known for image in images)


def _name(roi: Dataset, number: int) -> str:
    name = roi.get("ROIName", "") or ""
    if isinstance(name, MultiValue):  # a backslash, which DICOM takes for the sign between two values
        name = "\\".join(map(str, name))
    return " ".join(str(name).split()) or f"ROI {number}"


def _counted(count: int, what: str, name: str) -> str:
    return f"{count} {what} of {name} was" if count == 1 else f"{count} {what}s of {name} were"


def _colour(item: Dataset, number: int) -> tuple[int, int, int]:
    try:
        red, green, blue = (min(max(int(v), 0), 255) for v in item.ROIDisplayColor)
    except (AttributeError, TypeError, ValueError):
        return colour_of(number)
    return red, green, blue


def _role(item: Dataset) -> Role:
    codes = tuple(
        (str(c.get("CodeValue", "")), str(c.get("CodingSchemeDesignator", "")), str(c.get("CodeMeaning", "")))
        for c in item.get("RTROIIdentificationCodeSequence") or ()
    )
    return Role(kind=str(item.get("RTROIInterpretedType", "") or ""), codes=codes)


def _told(built: Stack, name: str) -> list[str]:
    """What became of outlines that are not simply one beside the other."""
    said = []
    if built.doubled:
        said.append(f"{_counted(built.doubled, 'outline', name)} drawn twice and counted once.")
    if built.overlapping:
        slices = "1 slice" if built.overlapping == 1 else f"{built.overlapping} slices"
        said.append(f"On {slices} outlines of {name} overlap; what they have in common counts as inside.")
    if built.hollow > HOLLOW:
        said.append(f"Inner outlines of {name} were taken as holes; they take {100 * built.hollow:.0f} % of its area.")
    if built.filled:
        slices, were = ("1 slice", "was") if built.filled == 1 else (f"{built.filled} slices", "were")
        said.append(f"{slices} of {name} without a contour {were} filled from the neighbours.")
    return said

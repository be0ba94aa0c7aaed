"""Structures to an RTSTRUCT of the fixed series, as a planning system expects it.

Patient and study are those of the fixed series, because a planning system files the contours by them; a pseudonym may
stand for the patient. Nothing of the moving scan's or of the source structure set's patient is taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ImplicitVRLittleEndian, generate_uid

from ..dicom.dataset import text
from ..dicom.series import Series, Slice
from ..errors import DsirError
from ..files.atomic import complete_file
from ..shapes.contours import keyholes, outlines
from ..shapes.structure import PointSet, Role, Structure
from .object_attributes import code_item, image_reference, made_now, new_object

RTSTRUCT = UID("1.2.840.10008.5.1.4.1.1.481.3")
DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
"""SOP class of the study, as RTReferencedStudySequence asks for it (retired, and still required there)."""

Holes = Literal["inner", "keyhole", "xor"]
"""How holes are written: joined to the outer contour by a channel of no width, as DICOM has it for CLOSED_PLANAR and as
every reader understands; as inner contours, which are holes by the even-odd rule and which plastimatch fills; or as
CLOSEDPLANAR_XOR, DICOM's newer rule, which plastimatch 1.9 does not read (measured)."""


def write_rtstruct(
    path: str | Path,
    structures: Sequence[Structure],
    series: Series,
    *,
    point_sets: Sequence[PointSet] = (),
    label: str = "DSIR",
    holes: Holes = "keyhole",
    pseudonym: str | None = None,
) -> dict[str, int]:
    """Write the structures, planar on the series' slices.

    Args:
        structures: their third axis runs along the slices of ``series`` (as :func:`..pullback.pull_back` makes them).
        pseudonym: stands for patient name and ID; birth date and sex are then blank.

    Returns:
        contours by structure name; 0 where nothing of it lies on the slices.

    Raises:
        DsirError: the file cannot be written.
    """
    for name in ("StudyInstanceUID", "SeriesInstanceUID"):
        if not text(series.header, name):
            raise DsirError(f"An RTSTRUCT refers to the fixed series by its {name}, which the files lack.")
    if not all(s.sop_class and s.sop_instance for s in series.slices.values()):
        raise DsirError("An RTSTRUCT refers to the slices by their SOP UIDs, which some files of the series lack.")
    frame = UID(series.frame_of_reference or generate_uid())
    dataset = _head(series, label, pseudonym)
    dataset.FrameOfReferenceUID = frame
    numbers = _numbers([*structures, *point_sets])
    rois, drawn, observed = [], [], []
    counts: dict[str, int] = {}
    everything: list[Structure | PointSet] = [*structures, *point_sets]
    for number, item in zip(numbers, everything, strict=True):
        contours = _planar(item, series, holes) if isinstance(item, Structure) else _points(item)
        counts[item.name] = len(contours)
        rois.append(_roi(number, item.name, frame))
        drawn.append(_contour_item(number, item.colour, contours))
        observed.append(_observation(number, item.name, item.role))
    dataset.ReferencedFrameOfReferenceSequence = Items([_frame(series, frame)])
    dataset.StructureSetROISequence = Items(rois)
    dataset.ROIContourSequence = Items(drawn)
    dataset.RTROIObservationsSequence = Items(observed)
    with complete_file(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return counts


def _head(series: Series, label: str, pseudonym: str | None) -> FileDataset:
    dataset = new_object(RTSTRUCT, ImplicitVRLittleEndian)  # an explicit one holds no contour of more than 64 kB
    made_now(dataset, series, pseudonym)
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.SeriesDescription = "Contours propagated by DSIR, not reviewed"
    dataset.OperatorsName = ""
    dataset.StructureSetLabel = (label or "DSIR")[:16]
    dataset.StructureSetName = "Propagated by DSIR Registration"
    dataset.StructureSetDate, dataset.StructureSetTime = dataset.InstanceCreationDate, dataset.InstanceCreationTime
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _frame(series: Series, uid: str) -> Dataset:
    images = Items([image_reference(series.slices[k]) for k in sorted(series.slices)])
    of_series, of_study, frame = Dataset(), Dataset(), Dataset()
    of_series.SeriesInstanceUID = series.header.SeriesInstanceUID
    of_series.ContourImageSequence = images
    of_study.ReferencedSOPClassUID = DETACHED_STUDY
    of_study.ReferencedSOPInstanceUID = series.header.StudyInstanceUID
    of_study.RTReferencedSeriesSequence = Items([of_series])
    frame.FrameOfReferenceUID = uid
    frame.RTReferencedStudySequence = Items([of_study])
    return frame


def _roi(number: int, name: str, frame: str) -> Dataset:
    roi = Dataset()
    roi.ROINumber = number
    roi.ReferencedFrameOfReferenceUID = frame
    roi.ROIName = name[:64]
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    roi.ROIGenerationDescription = "Deformable propagation, not reviewed"
    return roi


def _contour_item(number: int, colour: tuple[int, int, int], contours: list[Dataset]) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(colour)
    if contours:
        for n, contour in enumerate(contours, start=1):
            contour.ContourNumber = n
        item.ContourSequence = Items(contours)
    item.ReferencedROINumber = number
    return item


def _observation(number: int, name: str, role: Role) -> Dataset:
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.ROIObservationLabel = name[:16]
    if role.codes:
        item.RTROIIdentificationCodeSequence = Items([code_item(*code) for code in role.codes])
    item.RTROIInterpretedType = role.kind
    item.ROIInterpreter = ""
    return item


def _planar(structure: Structure, series: Series, holes: Holes) -> list[Dataset]:
    contours = []
    for k, polygons in sorted(outlines(structure.distance).items()):
        if holes == "keyhole":
            polygons = keyholes(polygons)
        z = structure.lattice.to_world(np.array([0.0, 0.0, k]))
        place = round(float(series.lattice.to_index(z)[2]))
        part = series.slices.get(place)
        if part is None:
            continue  # a slice that the series lacks
        for polygon in polygons:
            index = np.column_stack([polygon, np.full(len(polygon), float(k))])
            kind = "CLOSEDPLANAR_XOR" if holes == "xor" else "CLOSED_PLANAR"
            contours.append(_contour(kind, structure.lattice.to_world(index), part))
    return contours


def _points(point_set: PointSet) -> list[Dataset]:
    return [_contour("POINT", point[None], None) for point in point_set.points]


def _contour(kind: str, points: np.ndarray, part: Slice | None) -> Dataset:
    contour = Dataset()
    if part is not None:
        contour.ContourImageSequence = Items([image_reference(part)])
    contour.ContourGeometricType = kind
    contour.NumberOfContourPoints = len(points)
    lps = points * [-1.0, -1.0, 1.0]
    contour.ContourData = [f"{v:.4f}" for v in (lps + 0.0).ravel()]
    return contour


def _numbers(items: Sequence[Structure | PointSet]) -> list[int]:
    """ROI numbers: those of the source, made unique."""
    taken: set[int] = set()
    out = []
    for item in items:
        number = item.number
        while number in taken or number < 0:
            number = max(taken, default=0) + 1
        taken.add(number)
        out.append(number)
    return out

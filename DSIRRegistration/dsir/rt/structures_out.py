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
from pydicom.uid import UID, ImplicitVRLittleEndian, generate_uid

from ..dicom.planes import Plane
from ..dicom.series import Series
from ..files.atomic import complete_file
from ..shapes.contours import keyholes, outlines
from ..shapes.structure import PointSet, Role, Structure
from .object_attributes import check_references, code_item, image_reference, item, made_now, new_object

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
    check_references(series, "An RTSTRUCT", frame=False)
    frame = UID(series.frame_of_reference or generate_uid())
    dataset = _head(series, label, pseudonym)
    dataset.FrameOfReferenceUID = frame
    rois, drawn, observed = [], [], []
    counts: dict[str, int] = {}
    everything: list[Structure | PointSet] = [*structures, *point_sets]
    for number, one in zip(_numbers(everything), everything, strict=True):
        if isinstance(one, Structure):
            contours = _planar(one, series, holes)
        else:
            contours = [_contour("POINT", point[None], None) for point in one.points]
        counts[one.name] = len(contours)
        rois.append(_roi(number, one.name, frame))
        drawn.append(_contour_item(number, one.colour, contours))
        observed.append(_observation(number, one.name, one.role))
    dataset.ReferencedFrameOfReferenceSequence = [_frame(series, frame)]
    dataset.StructureSetROISequence = rois
    dataset.ROIContourSequence = drawn
    dataset.RTROIObservationsSequence = observed
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
    images = [image_reference(series.slices[k]) for k in sorted(series.slices)]
    of_study = item(
        ReferencedSOPClassUID=DETACHED_STUDY,
        ReferencedSOPInstanceUID=series.header.StudyInstanceUID,
        RTReferencedSeriesSequence=[
            item(SeriesInstanceUID=series.header.SeriesInstanceUID, ContourImageSequence=images)
        ],
    )
    return item(FrameOfReferenceUID=uid, RTReferencedStudySequence=[of_study])


def _roi(number: int, name: str, frame: str) -> Dataset:
    return item(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=frame,
        ROIName=name[:64],
        ROIGenerationAlgorithm="AUTOMATIC",
        ROIGenerationDescription="Deformable propagation, not reviewed",
    )


def _contour_item(number: int, colour: tuple[int, int, int], contours: list[Dataset]) -> Dataset:
    for n, contour in enumerate(contours, start=1):
        contour.ContourNumber = n
    found = {"ContourSequence": contours} if contours else {}
    return item(ROIDisplayColor=list(colour), **found, ReferencedROINumber=number)


def _observation(number: int, name: str, role: Role) -> Dataset:
    known = {"RTROIIdentificationCodeSequence": [code_item(*code) for code in role.codes]} if role.codes else {}
    return item(
        ObservationNumber=number,
        ReferencedROINumber=number,
        ROIObservationLabel=name[:16],
        **known,
        RTROIInterpretedType=role.kind,
        ROIInterpreter="",
    )


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


def _contour(kind: str, points: np.ndarray, part: Plane | None) -> Dataset:
    image = {} if part is None else {"ContourImageSequence": [image_reference(part)]}
    lps = points * [-1.0, -1.0, 1.0]
    data = [f"{v:.4f}" for v in (lps + 0.0).ravel()]
    return item(**image, ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=data)


def _numbers(given: Sequence[Structure | PointSet]) -> list[int]:
    """ROI numbers: those of the source, made unique."""
    taken: set[int] = set()
    out = []
    for number in (one.number for one in given):
        while number in taken or number < 0:
            number = max(taken, default=0) + 1
        taken.add(number)
        out.append(number)
    return out

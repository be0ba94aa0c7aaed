"""What every DICOM object that we write has in common: patient, study, maker, and numbers as text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from .. import __version__
from ..dicom.dataset import text
from ..dicom.planes import Plane
from ..dicom.series import Series
from ..errors import DsirError

PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")


LONGEST = 64
"""Characters of a Patient ID (DICOM PS3.5, value representation LO)."""


def check_pseudonym(pseudonym: str) -> None:
    """Refuse what cannot be both a patient's name and ID.

    Raises:
        DsirError: says why.
    """
    if not pseudonym.strip() or len(pseudonym) > LONGEST or not pseudonym.isprintable() or set(pseudonym) & set("\\=^"):
        raise DsirError(
            f"The pseudonym {pseudonym[:LONGEST]!r} cannot stand for a patient in DICOM: give 1 to {LONGEST} letters "
            "on one line, without \\, = and ^."
        )


def set_patient_and_study(dataset: Dataset, series: Series, pseudonym: str | None) -> None:
    """Put an object into the patient and study of a series, because a planning system files it by them.

    Args:
        pseudonym: stands for patient name and ID; birth date, sex, physician and accession number are then blank.

    Raises:
        DsirError: the pseudonym cannot be one.
    """
    for name in (*PATIENT, *STUDY):
        setattr(dataset, name, series.header.get(name, "") or "")
    if pseudonym is not None:
        check_pseudonym(pseudonym)
        dataset.PatientName = dataset.PatientID = pseudonym
        dataset.PatientBirthDate = dataset.PatientSex = dataset.ReferringPhysicianName = dataset.AccessionNumber = ""
        dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", "Pseudonym given by the user"


def new_object(kind: str, syntax: UID = ExplicitVRLittleEndian) -> FileDataset:
    """An object of a SOP class, with a UID of its own and nothing else in it yet."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(kind), generate_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    return dataset


def made_now(dataset: Dataset, series: Series, pseudonym: str | None) -> None:
    """Say who made an object and when, in a series of its own in the study of ``series``.

    Raises:
        DsirError: as :func:`set_patient_and_study`.
    """
    now = datetime.now()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    dataset.Manufacturer, dataset.ManufacturerModelName = "DSIR Registration", "dsir"
    dataset.SoftwareVersions = __version__
    set_patient_and_study(dataset, series, pseudonym)
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PositionReferenceIndicator = ""


def item(**attributes: Any) -> Dataset:
    """An item of a sequence; an attribute that is a sequence itself takes a list of items."""
    made = Dataset()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def check_references(series: Series, what: str, *, role: str = "fixed", frame: bool = True) -> None:
    """Refuse a series that lacks UIDs by which an object refers to it and its images.

    Args:
        what: the object is, for the sentence: "A DICOM registration".
        frame: whether the object refers to its frame of reference.

    Raises:
        DsirError: the sentence names what is lacking.
    """
    for name in ("StudyInstanceUID", "SeriesInstanceUID", *(["FrameOfReferenceUID"] if frame else [])):
        if not text(series.header, name):
            raise DsirError(f"{what} refers to the {role} series by its {name}, which the files lack.")
    if not all(plane.sop_class and plane.sop_instance for plane in series.slices.values()):
        raise DsirError(f"{what} refers to the {role} images by their SOP UIDs, which some files of the series lack.")


def image_reference(part: Plane) -> Dataset:
    """An item that refers to one image of a series."""
    return item(ReferencedSOPClassUID=part.sop_class, ReferencedSOPInstanceUID=part.sop_instance)


def content_label(label: str) -> str:
    """A label as DICOM takes one (a code string): 16 capitals, digits, blanks and underscores at most."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in " _") else "_" for c in label.upper()).strip()
    return kept[:16] or "DSIR"


def decimal(value: float) -> str:
    """A decimal string of at most 16 letters, as exact as that allows; a nought without a trace of rounding."""
    return format_number_as_ds(0.0 if abs(value) < 1e-12 else float(value))

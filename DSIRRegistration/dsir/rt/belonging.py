"""What every DICOM object that we write has in common: patient and study of the fixed series, numbers as text."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

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


def belong_to(dataset: Dataset, series: Series, pseudonym: str | None) -> None:
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


def decimal(value: float) -> str:
    """A decimal string of at most 16 letters, as exact as that allows; a nought without a trace of rounding."""
    return format_number_as_ds(0.0 if abs(value) < 1e-12 else float(value))

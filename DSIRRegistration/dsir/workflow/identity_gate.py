"""One person or two: asked wherever DICOM is read, before anything is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from ..dicom.choice import chosen
from ..dicom.dataset import read_header
from ..dicom.discover import discover
from ..dicom.identity import Identity, identity_of
from ..errors import DsirError
from ..messages import Message

TWO_PERSONS = Message("two_persons")
"""What every report then says."""

LABEL = "DSIR 2 PERSONS"
"""Label of a structure set that was carried from one person to another; 16 characters at most."""


@dataclass(frozen=True)
class Difference:
    """Two roles that are of different persons.

    Attributes:
        role, other: as the mapping of persons calls them.
        fields: in what they differ, in words; never what stands there.
    """

    role: str
    other: str
    fields: tuple[str, ...]


def headers(inputs: Mapping[str, Path | None]) -> dict[str, Dataset]:
    """Role to header, of the files and folders that are DICOM."""
    asked = {role: header_at(path) for role, path in inputs.items() if path is not None}
    return {role: header for role, header in asked.items() if header is not None}


def identities(inputs: Mapping[str, Path | None]) -> dict[str, Identity]:
    """Role to person, of the files and folders that are DICOM; others say nothing about persons."""
    return {role: identity_of(header) for role, header in headers(inputs).items()}


def check_one_person(persons: Mapping[str, Identity], *, different_patients: bool = False) -> tuple[str, ...]:
    """Compare patient ID, name, date of birth and sex of everything that is DICOM.

    Args:
        persons: role to person, as :func:`identities` reads them.
        different_patients: the user says that they may differ.

    Returns:
        remarks for the report: :data:`TWO_PERSONS` where they differ and may.

    Raises:
        DsirError: two of them differ; the sentence says in which fields, never what stands there.
    """
    found = difference(persons)
    if found is None:
        return ()
    if different_patients:
        return (TWO_PERSONS,)
    raise DsirError(
        f"{_said(found.role).capitalize()} and {_said(found.other)} are of different persons: they differ in "
        f"{' and '.join(found.fields)}. If that is meant, say --different-patients."
    )


def difference(persons: Mapping[str, Identity]) -> Difference | None:
    """The first two that are not of one person; None where nothing says so."""
    known = list(persons.items())
    for n, (role, who) in enumerate(known):
        for other, whom in known[n + 1 :]:
            if fields := who.differences(whom):
                return Difference(role, other, fields)
    return None


def one_person(who: Identity | None, whom: Identity | None) -> bool:
    """Whether DICOM says that both scans are of one person: an ID in both, and nothing that differs."""
    if who is None or whom is None or not who.patient_id or who.patient_id != whom.patient_id:
        return False
    return not who.differences(whom)


def header_at(path: Path) -> Dataset | None:
    """The header of a DICOM file, or of the scan that a folder holds; None for what is no DICOM or cannot be read."""
    path = Path(path)
    if path.is_file():
        if path.name.lower().endswith((".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".h5", ".tfm", ".csv", ".json")):
            return None
        return read_header(path)
    if not path.is_dir():
        return None
    try:
        return chosen(discover(path), path).header
    except DsirError:
        return None  # whoever reads it will say why


def _said(role: str) -> str:
    return f"the {role.replace('_', ' ')}{' scan' if role in ('fixed', 'moving') else ''}"

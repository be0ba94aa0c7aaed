"""Who a scan belongs to, for the question whether two of them belong to one person; never written anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from pydicom.dataset import Dataset

from .dataset import text

NOBODY = {"", "anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "na", "removed", "patient", "0"}
"""What stands where a name or number was taken out, in lower case without blanks."""

TAGS = {"patient_id": "PatientID", "name": "PatientName", "birth_date": "PatientBirthDate", "sex": "PatientSex"}
WORDS = {"patient_id": "patient ID", "name": "patient name", "birth_date": "date of birth", "sex": "sex"}


@dataclass(frozen=True, repr=False)
class Identity:
    """Patient ID, name, date of birth and sex as a data set has them, made comparable; empty where it says nothing.

    It has no repr on purpose: identities belong in no log.
    """

    patient_id: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""

    def differences(self, other: Identity) -> tuple[str, ...]:
        """In which fields the two differ, in words; what either does not say is no difference."""
        return tuple(
            WORDS[f.name]
            for f in fields(self)
            if getattr(self, f.name) and getattr(other, f.name) and getattr(self, f.name) != getattr(other, f.name)
        )


def identity_of(header: Dataset) -> Identity:
    """The identity in a data set."""
    return Identity(**{field: _comparable(field, text(header, tag)) for field, tag in TAGS.items()})


def _comparable(field: str, value: str) -> str:
    if field == "name":
        parts = [p for p in re.split(r"[\^=\s,]+", value.casefold()) if p]
        plain = " ".join(parts)
    else:
        plain = re.sub(r"[\s\0]+", "", value.casefold())
    if field == "sex" and plain == "o":
        return ""
    return "" if plain.replace(" ", "") in NOBODY else plain

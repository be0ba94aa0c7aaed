"""What a report may say of a DICOM series: what kind it is, and fingerprints in the place of its UIDs."""

from __future__ import annotations

import hashlib

from pydicom.dataset import Dataset

from .dataset import text


def series_facts(header: Dataset) -> dict[str, str]:
    """``modality``, ``description``, and fingerprints of the ``series`` and its ``frame`` of reference.

    Two scans of one frame of reference have the same fingerprint; nobody finds a patient by it.
    """
    return {
        "modality": text(header, "Modality")[:16],
        "description": text(header, "SeriesDescription")[:64],
        "series": pseudonym(text(header, "SeriesInstanceUID")),
        "frame": pseudonym(text(header, "FrameOfReferenceUID")),
    }


def pseudonym(uid: str) -> str:
    """Twelve digits of a UID's SHA-256; empty for none.

    >>> pseudonym("1.2.3")
    'c47f5b18b8a4'
    """
    return hashlib.sha256(uid.encode()).hexdigest()[:12] if uid else ""

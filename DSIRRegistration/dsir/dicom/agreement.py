"""What all slices of one volume have to say alike; where they do not, they are no volume."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DsirError
from .dataset import text
from .planes import Plane

ALIKE = {
    "FrameOfReferenceUID": "frames of reference, so nobody knows how they lie to each other",
    "PatientID": "patients",
    "Modality": "modalities",
    "PhotometricInterpretation": "kinds of brightness or colour (Photometric Interpretation)",
    "Units": "units",
    "RescaleType": "units of the rescaled values",
}
"""Attribute to what its values are; what only some slices say is taken for what the others say."""


def check_agreement(planes: Sequence[Plane], name: str) -> None:
    """Refuse slices that carry the number of one series and are not of one scan.

    Raises:
        DsirError: they differ in something of :data:`ALIKE`.
    """
    headers = {id(plane.header): plane.header for plane in planes}.values()
    for attribute, what in ALIKE.items():
        count = len({text(header, attribute) for header in headers} - {""})
        if count > 1:
            raise DsirError(f"{name} cannot be used: its slices are of {count} {what}.")

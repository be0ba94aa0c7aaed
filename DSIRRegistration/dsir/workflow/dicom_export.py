"""From a result to what a planning system imports: a DICOM registration object of the two series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dicom.dataset import text
from ..dicom.pseudonym import series_facts
from ..dicom.series import Series, read_series
from ..errors import DsirError
from ..files.dicom_registration import Frames
from ..files.transforms import transform_readings
from ..rt.registration_out import write_registration
from .identity_gate import LABEL, check_one_person, identities


@dataclass(frozen=True, eq=False)
class RegistrationExport:
    """Both series of a registration.

    Attributes:
        remarks: whose scans they are, where that must be said.
    """

    fixed: Series
    moving: Series
    remarks: tuple[str, ...]

    @staticmethod
    def of(fixed: Path, moving: Path, different_patients: bool = False) -> RegistrationExport:
        """Read the headers of both series.

        Raises:
            DsirError: one is no DICOM series, lacks a frame of reference, or they are of two persons.
        """
        for role, path in (("fixed", fixed), ("moving", moving)):
            if path.exists() and path.is_file() and path.suffix.lower() not in ("", ".dcm", ".ima", ".dicom"):
                raise DsirError(f"A DICOM registration object needs two DICOM series; the {role} scan is none.")
        remarks = check_one_person(
            identities({"fixed": fixed, "moving": moving}), different_patients=different_patients
        )
        pair = read_series(fixed), read_series(moving)
        for role, series in zip(("fixed", "moving"), pair, strict=True):
            if not text(series.header, "FrameOfReferenceUID"):
                raise DsirError(f"The {role} series has no frame of reference, so DICOM cannot register it.")
        return RegistrationExport(*pair, remarks)

    def check_result(self, report: Mapping[str, Any]) -> None:
        """Refuse a result that was made of other series than these, where its report tells.

        Raises:
            DsirError: it was.
        """
        made_of = report.get("series") or {}
        for role, series in (("fixed", self.fixed), ("moving", self.moving)):
            facts = made_of.get(role) or {}
            if facts.get("series") and facts["series"] != series_facts(series.header)["series"]:
                raise DsirError(f"The result was made of another {role} series than the one that was given.")

    def write(self, path: Path, transform: Path, *, label: str = "DSIR", pseudonym: str | None = None) -> str:
        """Write the object of the transform in a file; ``"spatial"`` or ``"deformable"``.

        Raises:
            DsirError: the file holds no transform that can be told, or the object cannot be written.
        """
        frames = Frames(self.fixed.frame_of_reference, self.moving.frame_of_reference)
        readings = transform_readings(transform, frames=frames)
        if len(readings) > 1:
            raise DsirError(f"{transform} does not say what its vectors mean; export transform.h5 of the result.")
        return write_registration(
            path,
            next(iter(readings.values())),
            self.fixed,
            self.moving,
            label=LABEL if self.remarks else label,
            pseudonym=pseudonym,
        )

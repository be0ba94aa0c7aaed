"""What ``dsir plan`` is going to do, decided and said before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dicom.identity import identity_of
from ..dicom.pseudonym import series_facts
from ..messages import Message
from ..registration.preset_words import WORDS
from ..workflow.identity_gate import check_one_person, headers
from .studies import Study, fixed_study, moving_study
from .task import preset_for


@dataclass(frozen=True, eq=False)
class PlanOfWork:
    """Two studies, what is taken of each, and how they are registered.

    Attributes:
        preset, because: the registration's preset and the reason for it.
        persons: what must be said of whose scans they are.
    """

    fixed: Study
    moving: Study
    preset: str
    because: str
    persons: tuple[str, ...]

    @staticmethod
    def of(fixed: Path, moving: Path, *, preset: str | None = None, different_patients: bool = False) -> PlanOfWork:
        """Look into both studies and choose.

        Raises:
            DsirError: a study without a scan, several of which none stands out, or two persons.
        """
        still, moved = fixed_study(fixed), moving_study(moving)
        people = {"fixed study": identity_of(still.scan.header), "moving study": identity_of(moved.scan.header)}
        drawn = {"structure set": moved.structures, "dose": moved.dose}
        people |= {role: identity_of(header) for role, header in headers(drawn).items()}
        persons = check_one_person(people, different_patients=different_patients)
        chosen, because = preset_for(still.scan.header, moved.scan.header, two_persons=bool(persons))
        if preset is not None:
            chosen, because = preset, "asked for"
        return PlanOfWork(still, moved, chosen, because, persons)

    @property
    def picks(self) -> tuple[str, ...]:
        """What chooses both scans again."""
        return self.fixed.pick, self.moving.pick

    @property
    def same_frame(self) -> bool:
        """Whether both scans say that they lie in one frame of reference."""
        return bool(self.fixed.frame_of_reference) and self.fixed.frame_of_reference == self.moving.frame_of_reference

    @property
    def remarks(self) -> tuple[str, ...]:
        """Reasons and warnings, one sentence each."""
        said = [*self.persons, *self.fixed.reasons, *self.moving.reasons]
        if self.fixed.scan.uid and self.fixed.scan.uid == self.moving.scan.uid:
            said.append(Message("same_scan"))
        if not self.fixed.frame_of_reference or not self.moving.frame_of_reference:
            said.append("A scan without a frame of reference cannot stand in a DICOM registration; none is written.")
        return tuple(said)

    def lines(self) -> tuple[str, ...]:
        """For the screen."""
        title = WORDS[self.preset].title if self.preset in WORDS else self.preset
        frame = "in the same frame of reference" if self.same_frame else "in another frame of reference"
        found = [
            f"fixed    {self.fixed.line}",
            f"moving   {self.moving.line}, {frame}",
            f"contours {self.moving.structures.name if self.moving.structures else 'none'}",
            f"dose     {self.moving.dose.name if self.moving.dose else 'none'}",
            f"preset   {self.preset} ({title}): {self.because}",
        ]
        return (*found, *(f"Note: {sentence}" for sentence in self.remarks))

    def to_json(self) -> dict[str, Any]:
        """For the report: series by fingerprints, files by name."""
        return {
            "fixed": series_facts(self.fixed.scan.header),
            "moving": series_facts(self.moving.scan.header),
            "structures": self.moving.structures.name if self.moving.structures else None,
            "dose": self.moving.dose.name if self.moving.dose else None,
            "preset": self.preset,
            "because": self.because,
            "remarks": list(self.remarks),
        }

"""Which of a study's doses is the one that was planned with the structure set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from ..dicom.dataset import text
from ..errors import DsirError
from ..rt.dose import WHOLE

Found = tuple[Dataset, Path]
"""A header and its file."""


@dataclass(frozen=True)
class _Rank:
    """What speaks for a dose, the strongest first."""

    whole: bool
    of_the_contours: bool
    in_gray: bool
    physical: bool
    approved: bool
    written: tuple[str, ...]

    @property
    def order(self) -> tuple[object, ...]:
        """For sorting, the best last."""
        return self.whole, self.of_the_contours, self.in_gray, self.physical, self.approved, self.written


def dose_of(
    doses: Sequence[Found], plans: Sequence[Found], frame: str, structure_set: str
) -> tuple[Path | None, list[str]]:
    """The dose of a whole plan in the scan's frame of reference, or one that does not say what it sums up.

    Args:
        doses, plans: RTDOSE and RTPLAN of the study.
        frame: UID of the scan's frame of reference.
        structure_set: UID of the structure set that was taken; empty where there is none.

    Returns:
        Its file, None where there is none, and what must be said, one sentence each.

    Raises:
        DsirError: several of which none stands out.
    """
    if not doses:
        return None, []
    same = [one for one in doses if frame and text(one[0], "FrameOfReferenceUID") == frame]
    here = {text(d, "SOPInstanceUID"): (d, file) for d, file in same}  # a copy counts once
    if not here:
        return None, [f"None of the {len(doses)} doses lies in the scan's frame of reference."]
    elsewhere = len(doses) - len(same)
    said = [f"Passed over: {elsewhere} of {len(doses)} doses, in another frame of reference."] if elsewhere else []
    parts = {kind for d, _ in here.values() if (kind := _sum(d)) not in (*WHOLE, "")}
    known = {text(plan, "SOPInstanceUID"): plan for plan, _ in plans}
    ranked = sorted(
        ((_rank(d, known, structure_set), d, file) for d, file in here.values() if _sum(d) in (*WHOLE, "")),
        key=lambda one: one[0].order,
    )
    if not ranked:
        return None, [f"No dose is propagated: none is of a whole plan ({', '.join(sorted(parts))} alone).", *said]
    best, header, file = ranked[-1]
    if len(ranked) > 1 and ranked[-2][0] == best:
        names = ", ".join(sorted(one.name for rank, _, one in ranked if rank == best))
        raise DsirError(f"Several doses of a whole plan and one date lie on the moving scan ({names}); keep one.")
    if len(doses) > 1:
        said.insert(0, f"Of {len(doses)} doses {_why(best, known, header)} was taken.")
    return file, said


def _sum(dose: Dataset) -> str:
    return text(dose, "DoseSummationType").upper()


def _plans(dose: Dataset, known: dict[str, Dataset]) -> list[Dataset]:
    """The plans that a dose says it was calculated for, those that are there."""
    named = (text(item, "ReferencedSOPInstanceUID") for item in dose.get("ReferencedRTPlanSequence") or ())
    return [known[uid] for uid in named if uid in known]


def _rank(dose: Dataset, known: dict[str, Dataset], structure_set: str) -> _Rank:
    plans = _plans(dose, known)
    named = [
        text(item, "ReferencedSOPInstanceUID")
        for one in (dose, *plans)
        for item in one.get("ReferencedStructureSetSequence") or ()
    ]
    return _Rank(
        whole=_sum(dose) in WHOLE,
        of_the_contours=bool(structure_set) and structure_set in named,
        in_gray=text(dose, "DoseUnits").upper() in ("", "GY"),
        physical=text(dose, "DoseType").upper() in ("", "PHYSICAL"),
        approved=any(text(plan, "ApprovalStatus").upper() == "APPROVED" for plan in plans),
        written=tuple(
            text(dose, f"{what}{when}") for what in ("InstanceCreation", "Content") for when in ("Date", "Time")
        ),
    )


def _why(rank: _Rank, known: dict[str, Dataset], dose: Dataset) -> str:
    whole = "of a whole plan" if rank.whole else "that do not say whether they are of a whole plan"
    labels = [label for plan in _plans(dose, known) if (label := text(plan, "RTPlanLabel")[:16])]
    named = f" (plan {labels[0]})" if labels else ""
    drawn = " and of the structure set" if rank.of_the_contours else ""
    return f"the newest of those {whole}{drawn}{named}"

"""What of a study is needed: the scan, the structure set drawn on it, the dose planned on it, and why these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from ..dicom.choice import chosen, line, picked_among
from ..dicom.dataset import refusing_damage, text
from ..dicom.discover import Contents, Volume, discover
from ..dicom.picks import picked
from ..errors import DsirError
from ..rt.structures_in import frames_of_reference, referenced_series
from .dose_choice import Found, dose_of

PREFERRED = ("CT", "MR", "PT")
"""Modality that a plan is made on, where a study holds several."""


@dataclass(frozen=True, eq=False)
class Study:
    """What was chosen of a study.

    Attributes:
        path: its folder.
        scan: the volume to register; ``number`` is its place in the folder, from 1.
        structures, dose: files that belong to the scan; None where there are none.
        reasons: why each was chosen and what was passed over, one sentence each.
    """

    path: Path
    scan: Volume
    number: int
    structures: Path | None
    dose: Path | None
    reasons: tuple[str, ...]

    @property
    def pick(self) -> str:
        """What chooses the scan again wherever the folder is read (:mod:`dsir.dicom.picks`)."""
        return f"{self.path}={self.number}"

    @property
    def line(self) -> str:
        """The scan in a few words."""
        return line(self.scan, self.number)

    @property
    def frame_of_reference(self) -> str:
        """UID; empty where the scan has none."""
        return text(self.scan.header, "FrameOfReferenceUID")


def fixed_study(path: Path) -> Study:
    """The scan of the study that stays; what was drawn on it before is of no matter.

    Raises:
        DsirError: no scan, or several of which none stands out.
    """
    contents = _looked_into(path)
    scan, reasons = _scan(contents, path)
    return Study(path, scan, _number(contents, scan), None, None, tuple(reasons))


def moving_study(path: Path) -> Study:
    """The scan whose structures are to be propagated, its structure set and its dose.

    Raises:
        DsirError: as :func:`fixed_study`.
    """
    contents = _looked_into(path)
    sets = _of(contents, "RTSTRUCT")
    drawn_on = {uid for header, file in sets for uid in _series(header, file)}
    scan, reasons = _scan(contents, path, drawn_on)
    chosen_set, said = _structures(sets, scan)
    structures, uid = (None, "") if chosen_set is None else (chosen_set[1], text(chosen_set[0], "SOPInstanceUID"))
    frame = text(scan.header, "FrameOfReferenceUID")
    dose, more = dose_of(_of(contents, "RTDOSE"), _of(contents, "RTPLAN"), frame, uid)
    return Study(path, scan, _number(contents, scan), structures, dose, (*reasons, *said, *more))


def _number(contents: Contents, scan: Volume) -> int:
    return next(n for n, volume in enumerate(contents.volumes, start=1) if volume is scan)


def _looked_into(path: Path) -> Contents:
    if not path.exists():
        raise DsirError(f"{path} does not exist.")
    if not path.is_dir():
        raise DsirError(f"{path} is a file; a study is a folder of DICOM files.")
    return discover(path)


def _of(contents: Contents, modality: str) -> list[Found]:
    return [(header, file) for header, file in contents.others if text(header, "Modality").upper() == modality]


def _scan(contents: Contents, path: Path, drawn_on: Sequence[str] | set[str] = ()) -> tuple[Volume, list[str]]:
    """The volume that is meant: picked by the user, drawn on, or the only one of the modality plans are made on."""
    scans = [volume for volume in contents.volumes if volume.scan]
    by_hand = picked_among(contents.volumes, path, picked())
    if by_hand is not None:
        return by_hand, []
    if len(scans) < 2:
        return chosen(contents, path), []
    numbered = {id(volume): number for number, volume in enumerate(contents.volumes, start=1)}
    on = [volume for volume in scans if volume.uid in drawn_on]
    if len(on) == 1:
        return on[0], [f"Of {len(scans)} scans in {path.name} the one that the structure set was drawn on was taken."]
    for modality in PREFERRED:
        found = [volume for volume in on or scans if volume.modality == modality]
        if len(found) == 1:
            others = "; ".join(line(v, numbered[id(v)]) for v in scans if v is not found[0])
            return found[0], [f"Of the scans in {path.name} the only {modality} was taken; passed over: {others}."]
        if found:
            break
    return chosen(contents, path), []  # says which there are, and asks


def _structures(sets: Sequence[Found], scan: Volume) -> tuple[Found | None, list[str]]:
    """The structure set drawn on the scan; an approved one before others, then the newest.

    Where none names the scan (exported again, or by a program that leaves it out), one that lies in its frame of
    reference is as good.
    """
    if not sets:
        return None, ["The moving study holds no structure set, so no contours are propagated."]
    mine, drawn = [one for one in sets if scan.uid in _series(*one)], "drawn on the scan"
    said = []
    if not mine:
        mine, drawn = [one for one in sets if _in_frame(*one, scan)], "in the scan's frame of reference"
        if not mine:
            return None, [f"None of the {len(sets)} structure sets was drawn on the scan that was taken."]
        said = ["No structure set names the scan that was taken; one in its frame of reference was taken."]
    ranked = sorted(mine, key=lambda found: _rank(found[0]))
    header, _ = ranked[-1]
    if len(mine) == 1:
        return ranked[-1], said
    approved = text(header, "ApprovalStatus").upper() == "APPROVED"
    if _rank(ranked[-2][0]) == _rank(header):
        labels = ", ".join(_label(one) for one, _ in mine)
        raise DsirError(f"{len(mine)} structure sets of one date were drawn on the moving scan ({labels}); keep one.")
    why = "the newest that is approved" if approved else "the newest"
    return ranked[-1], [*said, f"Of {len(mine)} structure sets {drawn}, {why} was taken ({_label(header)})."]


def _series(header: Dataset, file: Path) -> tuple[str, ...]:
    with refusing_damage(file):
        return referenced_series(header)


def _in_frame(header: Dataset, file: Path, scan: Volume) -> bool:
    """Whether a structure set lies in the scan's frame of reference."""
    with refusing_damage(file):
        return text(scan.header, "FrameOfReferenceUID") in frames_of_reference(header)


def _rank(header: Dataset) -> tuple[bool, str, str]:
    approved = text(header, "ApprovalStatus").upper() == "APPROVED"
    return approved, text(header, "StructureSetDate"), text(header, "StructureSetTime")


def _label(header: Dataset) -> str:
    return text(header, "StructureSetLabel")[:16] or "without a label"

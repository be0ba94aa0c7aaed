"""What of a study is needed: the scan, the structure set drawn on it, the dose planned on it, and why these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from ..dicom.choice import chosen, line, picked_among
from ..dicom.dataset import text
from ..dicom.discover import Contents, Volume, discover
from ..dicom.picks import picked
from ..errors import DsirError
from ..rt.dose import WHOLE
from ..rt.structures_in import referenced_series

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
    drawn_on = {uid for _, file in sets for uid in referenced_series(file)}
    scan, reasons = _scan(contents, path, drawn_on)
    structures, said = _structures(sets, scan)
    dose, more = _dose(_of(contents, "RTDOSE"), scan)
    return Study(path, scan, _number(contents, scan), structures, dose, (*reasons, *said, *more))


def _number(contents: Contents, scan: Volume) -> int:
    return next(n for n, volume in enumerate(contents.volumes, start=1) if volume is scan)


def _looked_into(path: Path) -> Contents:
    if not path.exists():
        raise DsirError(f"{path} does not exist.")
    if not path.is_dir():
        raise DsirError(f"{path} is a file; a study is a folder of DICOM files.")
    return discover(path)


def _of(contents: Contents, modality: str) -> list[tuple[Dataset, Path]]:
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


def _structures(sets: Sequence[tuple[Dataset, Path]], scan: Volume) -> tuple[Path | None, list[str]]:
    """The structure set drawn on the scan; an approved one before others, then the newest."""
    mine = [(header, file) for header, file in sets if scan.uid in referenced_series(file)]
    if not mine:
        if not sets:
            return None, ["The moving study holds no structure set, so no contours are propagated."]
        return None, [f"None of the {len(sets)} structure sets was drawn on the scan that was taken."]
    ranked = sorted(mine, key=lambda found: _rank(found[0]))
    header, file = ranked[-1]
    if len(mine) == 1:
        return file, []
    approved = text(header, "ApprovalStatus").upper() == "APPROVED"
    if _rank(ranked[-2][0]) == _rank(header):
        labels = ", ".join(_label(one) for one, _ in mine)
        raise DsirError(f"{len(mine)} structure sets of one date were drawn on the moving scan ({labels}); keep one.")
    why = "the newest that is approved" if approved else "the newest"
    return file, [f"Of {len(mine)} structure sets drawn on the scan, {why} was taken ({_label(header)})."]


def _rank(header: Dataset) -> tuple[bool, str, str]:
    approved = text(header, "ApprovalStatus").upper() == "APPROVED"
    return approved, text(header, "StructureSetDate"), text(header, "StructureSetTime")


def _label(header: Dataset) -> str:
    return text(header, "StructureSetLabel")[:16] or "without a label"


def _dose(doses: Sequence[tuple[Dataset, Path]], scan: Volume) -> tuple[Path | None, list[str]]:
    """The dose of a whole plan in the scan's frame of reference, or one that does not say what it sums up."""
    frame = text(scan.header, "FrameOfReferenceUID")
    mine = [(header, file) for header, file in doses if frame and text(header, "FrameOfReferenceUID") == frame]
    if not mine:
        return None, [f"None of the {len(doses)} doses lies in the scan's frame of reference."] if doses else []
    kinds = [text(header, "DoseSummationType").upper() for header, _ in mine]
    whole = [found for found, kind in zip(mine, kinds, strict=True) if kind in WHOLE]
    unsaid = [found for found, kind in zip(mine, kinds, strict=True) if not kind]
    if not whole and not unsaid:
        return None, [f"No dose is propagated: none is of a whole plan ({', '.join(sorted(set(kinds)))} alone)."]
    which = "of a whole plan" if whole else "that do not say whether they are of a whole plan"
    whole = whole or unsaid
    newest = sorted(whole, key=lambda found: (text(found[0], "InstanceCreationDate"), text(found[0], "ContentDate")))
    said = [f"Of {len(mine)} doses the newest of those {which} was taken."] if len(mine) > 1 else []
    return newest[-1][1], said

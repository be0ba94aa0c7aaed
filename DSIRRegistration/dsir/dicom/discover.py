"""What a folder holds: every object in it, and the volumes that its image planes make."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ..messages import Message
from .copies import place, without_copies, without_twins
from .dataset import read_header, refusing_damage, says_dicom, text, whole
from .planes import NO_SCANS, TIMES, Plane, planes_of

FEW = 3
"""Planes of one orientation beside a larger stack of another, up to which they are localisers."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Planes that belong together: a series, or one time point or echo of it.

    Attributes:
        planes: in the order they were found.
        part: what tells it from the series' other volumes ("time 2 of 3"); empty where it is the whole series.
        remarks: what was left out, one sentence each.
    """

    planes: tuple[Plane, ...]
    part: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def header(self) -> Dataset:
        """Of its first file."""
        return self.planes[0].header

    @property
    def uid(self) -> str:
        """Series Instance UID, empty where there is none."""
        return text(self.header, "SeriesInstanceUID")

    @property
    def modality(self) -> str:
        """CT, MR, PT, ...; ``?`` where the files do not say."""
        return text(self.header, "Modality").upper()[:16] or "?"

    @property
    def description(self) -> str:
        """Series Description, and the part where there are several."""
        said = text(self.header, "SeriesDescription")[:64] or "without a description"
        return f"{said}, {self.part}" if self.part else said

    @property
    def scan(self) -> bool:
        """Whether it is a volume that can be registered, as far as its header says."""
        kind = text(self.header, "SOPClassUID")
        shot = kind.startswith("1.2.840.10008.5.1.4.1.1.7") and any(p.position is None for p in self.planes)
        return len(self.planes) > 1 and not self.localiser and not shot

    @property
    def localiser(self) -> bool:
        """Whether it says of itself that it is a scout view."""
        return "LOCALIZER" in text(self.header, "ImageType").upper()


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything DICOM in a folder.

    Attributes:
        volumes: of image planes, by series number and description.
        others: header and file of what is no scan: structure sets, dose, segmentations, ...
        files: how many files were looked at.
    """

    volumes: tuple[Volume, ...]
    others: tuple[tuple[Dataset, Path], ...]
    files: int


DIRECTORY = "DICOMDIR"
"""Name of the file that lists what a disc holds (PS3.10)."""

NAMED = (".dcm", ".ima", ".dicom")
"""Suffixes of files that have to be DICOM."""

KEPT = 4
"""Folders whose headers are kept: a command asks for the same two up to eight times, and each file is opened then."""


def discover(path: str | Path) -> Contents:
    """Look into a folder and everything below it, or at one file; again only where a file has changed since.

    A DICOMDIR stands for the folder that it lists.
    """
    path = Path(path)
    path = path.parent if path.name.upper() == DIRECTORY else path
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return _discover(tuple((file, *_stamp(file)) for file in files))


def _stamp(file: Path) -> tuple[int, int, int]:
    """What changes with a file's content: inode, bytes, time."""
    try:
        found = file.stat()
    except OSError:  # whoever reads it says what is wrong with it
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=KEPT)
def _discover(stamped: tuple[tuple[Path, int, int, int], ...]) -> Contents:
    files = [file for file, *_ in stamped]
    series: dict[str, list[Plane]] = defaultdict(list)
    others: list[tuple[Dataset, Path]] = []
    odd: list[tuple[str, Path]] = []
    for file in files:
        header = read_header(file)
        if header is None and _should_be_dicom(file):
            odd.append(("", file))
        if header is None or text(header, "SOPClassUID") == "1.2.840.10008.1.3.10":  # DICOMDIR
            continue
        with refusing_damage(file):
            found = list(planes_of(file, header))
        if not found:
            if text(header, "Modality").upper() in NO_SCANS or "SOPClassUID" in header:
                others.append((header, file))
            if "Rows" not in header:  # cut off, if it is of the kind of the others
                odd.append((text(header, "SOPClassUID"), file))
            continue
        series[text(header, "SeriesInstanceUID")].extend(found)
    volumes = [volume for planes in series.values() for volume in volumes_of(planes)]
    kinds = {text(volume.header, "SOPClassUID") for volume in volumes}
    unread = [file for kind, file in odd if not kind or kind in kinds]
    if unread:
        said = Message("files_unread", count=len(unread), first=unread[0].name)
        volumes = [replace(volume, remarks=(*volume.remarks, said)) for volume in volumes]
    volumes.sort(key=lambda v: (_series_number(v), v.description, v.uid))
    return Contents(tuple(volumes), tuple(others), len(files))


def _should_be_dicom(file: Path) -> bool:
    """Whether a file that cannot be read as DICOM says or is named so, or may not be looked at; ``._`` is a Mac's note
    beside a file."""
    if file.name.startswith("._"):
        return False
    return file.suffix.lower() in NAMED or says_dicom(file) or not os.access(file, os.R_OK)


def _series_number(volume: Volume) -> int:
    said = text(volume.header, "SeriesNumber")
    return int(said) if said.lstrip("-").isdigit() else 10**9


def volumes_of(planes: Sequence[Plane]) -> list[Volume]:
    """The volumes of one series: by orientation and size, then by time or echo where planes share a place."""
    planes, copies = without_copies(planes)
    stacks: dict[tuple[object, ...], list[Plane]] = defaultdict(list)
    for plane in planes:
        stacks[_shape_of(plane, stacks)].append(plane)
    groups, twins = [], 0
    for stack in stacks.values():
        alone, passed = (stack, 0) if len(_by_time(stack)) > 1 else without_twins(stack)
        groups.append(alone)
        twins += passed
    copies += twins
    groups = _with_those_that_say_less(groups)
    largest = max(len(group) for group in groups)
    remarks: list[str] = []
    if lacking := _missing_parts(planes):
        remarks.append(lacking)
    if copies:
        remarks.append(Message("copies_passed_over", count=copies))
    if largest > FEW and len(groups) > 1:
        aside = [group for group in groups if len(group) <= FEW]
        groups = [group for group in groups if len(group) > FEW]
        count = sum(map(len, aside))
        if count:
            remarks.append(Message("localiser_left_out", count=count))
    found = []
    for group in groups:
        parts = _by_time(group)
        for number, part in enumerate(parts, start=1):
            said = f"volume {number} of {len(parts)}" if len(parts) > 1 else ""
            found.append(Volume(tuple(part), said, tuple(remarks)))
    if len(groups) > 1:
        found = [replace(v, part=", ".join(p for p in (_plane_name(v), v.part) if p)) for v in found]
    return found


def _with_those_that_say_less(groups: list[list[Plane]]) -> list[list[Plane]]:
    """Planes that belong to the largest group by size and kind, and only do not say how they lie, are no localisers:
    they go back to it, so that it is refused for what they lack."""
    largest = max(groups, key=len)
    kind = (largest[0].size, text(largest[0].header, "SOPClassUID"))
    unsaid = [
        group
        for group in groups
        if group is not largest
        and (group[0].directions is None or group[0].pixel is None)
        and (group[0].size, text(group[0].header, "SOPClassUID")) == kind
    ]
    return [
        [*group, *(plane for g in unsaid for plane in g)] if group is largest else group
        for group in groups
        if group not in unsaid
    ]


def _missing_parts(planes: Sequence[Plane]) -> Message | None:
    """What is missing of enhanced objects that were stored in parts (PS3.3 C.7.6.16.2.2.4)."""
    parts: dict[str, set[int]] = defaultdict(set)
    totals: dict[str, int] = defaultdict(int)
    for header in {id(plane.header): plane.header for plane in planes}.values():
        whole_one, part = text(header, "ConcatenationUID"), whole(header, "InConcatenationNumber")
        if whole_one and part:
            parts[whole_one].add(part)
            totals[whole_one] = max(totals[whole_one], whole(header, "InConcatenationTotalNumber") or 0)
    count = sum(max(totals[uid], *held) for uid, held in parts.items())
    if missing := count - sum(len(held) for held in parts.values()):
        return Message("parts_missing", missing=missing, count=count)
    return None if all(totals.values()) else Message("parts_unknown", count=count)


def _shape_of(plane: Plane, known: dict[tuple[object, ...], list[Plane]]) -> tuple[object, ...]:
    """A key for orientation, pixel size and matrix; rounding of the numbers makes no new one."""
    for key, group in known.items():
        other = group[0]
        same = other.size == plane.size and _close(other.directions, plane.directions, 2e-3)
        if same and _close(other.pixel, plane.pixel, 1e-3):
            return key
    return (len(known),)


def _close(a: np.ndarray | None, b: np.ndarray | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.abs(a - b).max() <= tolerance)


def _by_time(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Split planes that share places into volumes of one time or echo each, where something in them tells which; by
    several of these where one alone does not (two echoes at each of two times)."""
    if any(p.position is None for p in planes) or _is_single(planes):
        return [list(planes)]
    divisions = [found for found in (_divided(planes, name) for name in TIMES) if found]
    for groups in divisions:
        if all(map(_is_single, groups)):
            return groups
    for groups in divisions:
        parts = [part for group in groups for part in _by_time(group)]
        if all(map(_is_single, parts)):
            return parts
    return [list(planes)]


def _divided(planes: Sequence[Plane], name: str) -> list[list[Plane]]:
    """Planes by what they say of a mark; empty where it does not tell volumes apart: there are no more of them than
    planes at one place, and the time at which a slice was written is another one for every slice."""
    groups: dict[str, list[Plane]] = defaultdict(list)
    for plane in planes:
        groups[plane.distinct_by[name]].append(plane)
    if not 1 < len(groups) <= max(Counter(map(place, planes)).values()):
        return []
    return [groups[key] for key in sorted(groups, key=_numerically)]


def _is_single(planes: Sequence[Plane]) -> bool:
    """Whether no two planes share a place."""
    return max(Counter(map(place, planes)).values()) == 1


def _numerically(key: str) -> tuple[float, str]:
    try:
        return float(key.split("\\")[0]), key
    except ValueError:
        return 0.0, key


def _plane_name(volume: Volume) -> str:
    directions = volume.planes[0].directions
    if directions is None:
        return "without orientation"
    normal = np.abs(np.cross(*directions))
    return ("sagittal", "coronal", "axial")[int(np.argmax(normal))]

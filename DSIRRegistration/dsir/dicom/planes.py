"""The planes that image objects are made of: a file of one slice is one, an enhanced object has one for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from .dataset import first, items, number, numbers, text, whole

NO_SCANS = ("RTDOSE", "RTSTRUCT", "RTPLAN", "REG", "SEG", "SR", "PR", "KO", "DOC", "RTRECORD", "FID", "M3D")
"""Modalities that are read elsewhere or not at all; none is a scan."""

TIMES = (
    "TemporalPositionIndex",
    "TemporalPositionIdentifier",
    "StackID",
    "EchoTime",
    "EchoNumbers",
    "EffectiveEchoTime",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TriggerTime",
    "NominalPercentageOfCardiacPhase",
    "ImageType",
    "FrameType",
    "ComplexImageComponent",
    "DimensionIndexValues",
    "AcquisitionNumber",
    "ContentTime",
    "AcquisitionTime",
    "FrameAcquisitionDateTime",
)
"""What tells volumes of one series apart, the most telling first."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One image plane.

    Attributes:
        path, frame: its file, and its number in it.
        header: of the file, without pixels.
        position: (3,) LPS mm of the first voxel's centre; None where the file does not say.
        directions: (2, 3) along columns (a row's direction) and along rows, LPS; or None.
        pixel: (2,) mm between rows and between columns; or None.
        size: rows, columns.
        scale: slope and intercept of the stored values; None where the file says neither.
        distinct_by: what tells it from planes of other volumes of the series (:data:`TIMES`).
    """

    path: Path
    frame: int
    header: Dataset
    position: np.ndarray | None
    directions: np.ndarray | None
    pixel: np.ndarray | None
    size: tuple[int, int]
    scale: tuple[float, float] | None
    distinct_by: dict[str, str]

    @property
    def sop_class(self) -> str:
        """SOP Class UID of its file, empty where it has none."""
        return text(self.header, "SOPClassUID")

    @property
    def sop_instance(self) -> str:
        """SOP Instance UID of its file, empty where it has none."""
        return text(self.header, "SOPInstanceUID")


def planes_of(path: Path, header: Dataset) -> Iterator[Plane]:
    """The planes of one object; none of what is no scan (dose, structure sets, reports, ...)."""
    rows, columns = whole(header, "Rows"), whole(header, "Columns")
    if not rows or not columns or text(header, "Modality").upper() in NO_SCANS:
        return
    frames = whole(header, "NumberOfFrames") or 1
    shared = first(header, "SharedFunctionalGroupsSequence")
    per_frame = list(header.get("PerFrameFunctionalGroupsSequence") or ())
    reconstructed = _reconstructed(header, frames) if frames > 1 else None
    for frame in range(frames):
        own = per_frame[frame] if frame < len(per_frame) else None
        groups = [group for group in (own, shared) if group is not None]
        if frames > 1 and not groups:
            position = None if reconstructed is None else reconstructed[frame]
        else:
            position = _sought(header, groups, "PlanePositionSequence", "ImagePositionPatient", 3)
        yield Plane(
            path,
            frame,
            header,
            position,
            _directions(header, groups),
            _pixel(header, groups),
            (rows, columns),
            _scale(header, groups),
            _marks(header, groups),
        )


def _sought(header: Dataset, groups: list[Dataset], sequence: str, name: str, count: int) -> np.ndarray | None:
    for group in groups:
        item = first(group, sequence)
        found = numbers(item, name, count) if item is not None else None
        if found is not None:
            return found
    return numbers(header, name, count)


def _reconstructed(header: Dataset, frames: int) -> np.ndarray | None:
    """(frames, 3) of reconstructed nuclear medicine (PS3.3 C.8.4): slices count from the first along the normal,
    backwards where their spacing is negative. Of all else one position says where the first frame lies only."""
    detector, directions = first(header, "DetectorInformationSequence"), _directions(header, [])
    spacing = number(header, "SpacingBetweenSlices")
    counts = numbers(header, "SliceVector", frames)
    if detector is None or directions is None or not spacing or counts is None:
        return None
    origin = numbers(detector, "ImagePositionPatient", 3)
    return None if origin is None else origin + (counts[:, None] - 1) * spacing * np.cross(*directions)


def _directions(header: Dataset, groups: list[Dataset]) -> np.ndarray | None:
    found = _sought(header, groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    if found is None and (detector := first(header, "DetectorInformationSequence")) is not None:
        found = numbers(detector, "ImageOrientationPatient", 6)
    if found is None:
        return None
    pair = found.reshape(2, 3)
    length = np.linalg.norm(pair, axis=1)
    if np.abs(length - 1).max() > 0.02 or abs(pair[0] @ pair[1]) > 0.01:
        return None
    return pair / length[:, None]


def _pixel(header: Dataset, groups: list[Dataset]) -> np.ndarray | None:
    found = _sought(header, groups, "PixelMeasuresSequence", "PixelSpacing", 2)
    return found if found is not None and (found > 0).all() else None


def _scale(header: Dataset, groups: list[Dataset]) -> tuple[float, float] | None:
    for place in [first(group, "PixelValueTransformationSequence") for group in groups] + [header]:
        if place is None:
            continue
        slope, intercept = number(place, "RescaleSlope"), number(place, "RescaleIntercept")
        if slope not in (None, 1.0) or intercept is not None:  # a slope of 1 alone scales nothing
            return 1.0 if slope is None else slope, intercept or 0.0
    return None


_WHERE = {
    "TemporalPositionIndex": "FrameContentSequence",
    "StackID": "FrameContentSequence",
    "FrameAcquisitionDateTime": "FrameContentSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "DiffusionBValue": "MRDiffusionSequence",
    "FrameType": "MRImageFrameTypeSequence",
    "ComplexImageComponent": "MRImageFrameTypeSequence",
    "NominalPercentageOfCardiacPhase": "CardiacSynchronizationSequence",
}


WHERE_IT_LIES = (0x00200032, 0x00209057, 0x00209056)
"""Dimensions of an enhanced object that count its places: position, place in the stack, stack."""


def _marks(header: Dataset, groups: list[Dataset]) -> dict[str, str]:
    found = {}
    for name in TIMES:
        places = [first(group, _WHERE[name]) for group in groups] if name in _WHERE else []
        said = next((text(place, name) for place in places if place is not None and text(place, name)), "")
        found[name] = said or text(header, name)
    directions = [first(group, "MRDiffusionSequence", "DiffusionGradientDirectionSequence") for group in groups]
    for direction in directions:
        if direction is not None:
            found["DiffusionGradientOrientation"] = text(direction, "DiffusionGradientOrientation")
    found["DimensionIndexValues"] = _other_dimensions(header, groups)
    return found


def _other_dimensions(header: Dataset, groups: list[Dataset]) -> str:
    """Indices of a frame in the dimensions that do not say where it lies; empty where the object counts none."""
    named = items(header, "DimensionIndexSequence")
    content = next((c for c in (first(group, "FrameContentSequence") for group in groups) if c is not None), None)
    indices = text(content, "DimensionIndexValues").split("\\") if content is not None else []
    if len(indices) != len(named):
        return ""
    pointers = [item.get("DimensionIndexPointer") for item in named]
    return "\\".join(index for index, at in zip(indices, pointers, strict=True) if at not in WHERE_IT_LIES)

"""DICOM segmentation objects: binary, fractional and label map, on whatever planes they hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydicom.dataset import Dataset

from ..dicom.dataset import first, items, read_header, read_object, refusing_damage, text, whole
from ..dicom.planes import Plane, planes_of
from ..errors import DsirError
from ..geometry.lattice import Lattice
from ..shapes.structure import Role, colour_of
from .segmentation_grid import grid_of, places_on

HALF = 0.5
"""Share of a voxel from which on a fractional segment counts it as its own."""


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment.

    Attributes:
        number: Segment Number, above 0.
        mask: (I, J, K) bool on the segmentation's lattice.
    """

    number: int
    name: str
    colour: tuple[int, int, int]
    role: Role
    mask: torch.Tensor


@dataclass(frozen=True, eq=False)
class Segmentation:
    """All segments of an object, on one lattice."""

    segments: tuple[Segment, ...]
    lattice: Lattice
    remarks: tuple[str, ...]


def is_segmentation(path: str | Path) -> bool:
    """Whether a file is a DICOM segmentation object."""
    header = read_header(Path(path)) if Path(path).is_file() else None
    return header is not None and text(header, "Modality").upper() == "SEG"


def read_segmentation_object(path: str | Path) -> Segmentation:
    """Read a segmentation object; frames that were left out hold nothing of a segment.

    Raises:
        DsirError: not one, damaged, of a kind that is not known, or its frames make no regular grid.
    """
    path = Path(path)
    with refusing_damage(path):
        return _read(path)


def _read(path: Path) -> Segmentation:
    dataset = read_object(path, "SEG", "a DICOM segmentation")
    kind = text(dataset, "SegmentationType").upper()
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise DsirError(f"{path} is a segmentation of the type {kind or 'unknown'}, which is not read.")
    described = _described(dataset, path)
    frames = _frames(dataset, path)
    owners = _owners(dataset, len(frames), kind, path, described)
    grid = grid_of(frames, path)
    values = _values(dataset, path, kind, len(frames))
    held = {int(v) for v in np.unique(values)} if kind == "LABELMAP" else {o for o in owners if o is not None}
    nameless = sorted(held - {0} - set(described))
    described |= {segment: Dataset() for segment in nameless}
    at = {id(plane): k for k, plane in grid.planes.items()}
    place = places_on(grid, frames, at)
    segments = []
    for segment, item in sorted(described.items()):
        mask = np.zeros(grid.lattice.shape, dtype=bool)
        for i, owner in enumerate(owners):
            if kind == "LABELMAP":
                mask[:, :, place[i]] |= (values[i] == segment).T
            elif owner == segment:
                mask[:, :, place[i]] |= (values[i] >= HALF).T
        if mask.any():
            name = text(item, "SegmentLabel") or f"segment {segment}"
            segments.append(Segment(segment, name, _colour(item, segment), _role(item), torch.from_numpy(mask)))
    named = {s.number for s in segments}
    empty = [text(item, "SegmentLabel") or f"segment {n}" for n, item in sorted(described.items()) if n not in named]
    remarks = tuple(f"{name} is left out: it is empty." for name in empty)
    remarks += tuple(f"Segment {number} is described nowhere; it was read under its number." for number in nameless)
    if not segments:
        raise DsirError(f"{path} holds no voxel of any segment.")
    return Segmentation(tuple(segments), grid.lattice, remarks)


def _described(dataset: Dataset, path: Path) -> dict[int, Dataset]:
    """Segments by their numbers, above 0: a label map may describe its background, too."""
    found: dict[int, Dataset] = {}
    for item in items(dataset, "SegmentSequence"):
        segment = whole(item, "SegmentNumber")
        if segment is None or segment < 1:
            continue
        if segment in found:
            raise DsirError(f"{path} is damaged: two of its segments have the number {segment}.")
        found[segment] = item
    if not found:
        raise DsirError(f"{path} describes no segments.")
    return found


def _frames(dataset: Dataset, path: Path) -> list[Plane]:
    """Its planes; segmentations share the geometry of enhanced images."""
    shown = Dataset()
    shown.update(dataset)
    shown.Modality = "OT"
    found = list(planes_of(path, shown))
    if not found:
        raise DsirError(f"{path} holds no frames.")
    return found


def _owners(dataset: Dataset, count: int, kind: str, path: Path, described: dict[int, Dataset]) -> list[int | None]:
    """The segment that each frame belongs to."""
    if kind == "LABELMAP":
        return [None] * count
    shared = first(dataset, "SharedFunctionalGroupsSequence")
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    found: list[int | None] = []
    for frame in range(count):
        places = [groups[frame]] if frame < len(groups) else []
        places += [shared] if shared is not None else []
        named = [first(place, "SegmentIdentificationSequence") for place in places]
        numbers = [whole(item, "ReferencedSegmentNumber") for item in named if item is not None]
        owner = next((n for n in numbers if n is not None), None)
        if owner is None and len(described) == 1:
            owner = next(iter(described))
        if owner is None:
            raise DsirError(f"{path} does not say which segment its frame {frame + 1} belongs to.")
        found.append(owner)
    return found


def _values(dataset: Dataset, path: Path, kind: str, count: int) -> np.ndarray:
    """(frames, rows, columns): 0 to 1, or label values."""
    try:
        stored = np.asarray(dataset.pixel_array)
    except Exception:
        raise DsirError(f"The pixels of {path} cannot be read.") from None
    stored = stored[None] if stored.ndim == 2 else stored
    if stored.shape[0] != count:
        raise DsirError(f"{path} is damaged: it holds {stored.shape[0]} frames and describes {count}.")
    if kind == "FRACTIONAL":
        return stored / float(whole(dataset, "MaximumFractionalValue") or 255)
    return stored


def _role(item: Dataset) -> Role:
    """Property category and type as Slicer's terminology entry has them, and as codes."""
    category, kind = (
        first(item, "SegmentedPropertyCategoryCodeSequence"),
        first(item, "SegmentedPropertyTypeCodeSequence"),
    )
    codes = tuple(_code(code) for code in (kind,) if code is not None)
    if category is None or kind is None:
        return Role(codes=codes)
    blank = "^^"
    modifier = first(kind, "SegmentedPropertyTypeModifierCodeSequence")
    entry = "~".join(
        [
            "Segmentation category and type - DICOM master list",
            _entry(category),
            _entry(kind),
            blank if modifier is None else _entry(modifier),
            "Anatomic codes - DICOM master list",
            blank,
            blank,
        ]
    )
    return Role(codes=codes, terminology=entry)


def _entry(item: Dataset) -> str:
    value, scheme, meaning = _code(item)
    return f"{scheme}^{value}^{meaning}"


def _code(item: Dataset) -> tuple[str, str, str]:
    return text(item, "CodeValue"), text(item, "CodingSchemeDesignator"), text(item, "CodeMeaning")


def _colour(item: Dataset, number: int) -> tuple[int, int, int]:
    value = item.get("RecommendedDisplayCIELabValue")
    try:
        light, a, b = (float(v) for v in value)
    except (TypeError, ValueError):
        return colour_of(number)
    return _rgb(light / 65535 * 100, a / 65535 * 255 - 128, b / 65535 * 255 - 128)


def _rgb(light: float, a: float, b: float) -> tuple[int, int, int]:
    """CIELAB (D50, as DICOM's) to sRGB (D65): the ICC's transform, PS3.3 C.10.7.1.1."""
    y = (light + 16) / 116
    x, z = y + a / 500, y - b / 200
    cube = [v**3 if v**3 > 0.008856 else (v - 16 / 116) / 7.787 for v in (x, y, z)]
    xyz = np.array(cube) * [0.96422, 1.0, 0.82521]
    to_srgb = np.array(
        [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
    )
    linear = np.clip(to_srgb @ xyz, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (round(255 * float(v)) for v in curved)
    return red, green, blue

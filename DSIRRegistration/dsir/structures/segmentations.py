"""Label maps and Slicer segmentations (.seg.nrrd): structures from voxels, and back onto voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from pathlib import Path

import numpy as np
import torch

from ..dicom.dataset import read_header
from ..dicom.series import Series
from ..errors import DsirError
from ..files import seg_nrrd as nrrd
from ..files.images import read_labels, write_labels
from ..geometry.lattice import Lattice
from ..rt.segmentation_in import read_segmentation_object
from ..shapes.structure import Role, Structure, StructureSet, colour_of, unique_names
from ..warp.labels import signed_distance


def read_label_structures(path: str | Path, names: Mapping[int, str] | None = None) -> StructureSet:
    """Every value of a label map as a structure.

    Args:
        names: value to name; ``label 3`` where it has none.

    Raises:
        DsirError: as :func:`dsir.files.images.read_labels`, or the map is empty.
    """
    labels, lattice = read_labels(path)
    values = [int(v) for v in torch.unique(labels) if v]
    if not values:
        raise DsirError(f"{path} holds no labels: every voxel is 0.")
    called, remarks = unique_names([(names or {}).get(v, f"label {v}") for v in values])
    structures = [
        from_mask(labels == value, lattice, name=name, number=value) for name, value in zip(called, values, strict=True)
    ]
    return StructureSet(lattice, tuple(structures), remarks=tuple(remarks))


def from_mask(
    mask: torch.Tensor,
    lattice: Lattice,
    *,
    name: str,
    number: int,
    colour: tuple[int, int, int] | None = None,
    role: Role = Role(),  # noqa: B008 - frozen
) -> Structure:
    """A structure from the voxels (I, J, K) bool inside it; its surface lies half-way to the voxels outside."""
    reach = float(max(min(10.0, 64 * lattice.spacing.min()), 2.5 * lattice.spacing.max()))
    inside = mask.nonzero()
    if not len(inside):
        empty = torch.full((3, 3, 3), -reach)
        return Structure(name, empty, lattice.window(np.zeros(3), (3, 3, 3)), number, colour or colour_of(number), role)
    margin = np.ceil(reach / lattice.spacing).astype(int) + 1
    low, high = inside.amin(0).numpy() - margin, inside.amax(0).numpy() + margin + 1
    box = torch.zeros(tuple(int(n) for n in high - low), dtype=torch.bool)
    at = inside - torch.from_numpy(low)
    box[at[:, 0], at[:, 1], at[:, 2]] = True
    distance = signed_distance(box, lattice.spacing, reach)
    return Structure(name, distance, lattice.window(low, box.shape), number, colour or colour_of(number), role)


def on_grid(structure: Structure, grid: Lattice) -> torch.Tensor:
    """(I, J, K) bool: the voxels of ``grid`` whose centres are inside a structure that lies in a box of that grid."""
    times = np.rint(grid.spacing / structure.lattice.spacing).astype(int)
    start = np.rint(grid.to_index(structure.lattice.to_world((times - 1) / 2))).astype(int)
    inner = structure.distance[tuple(slice((t - 1) // 2, None, t) for t in times)] > 0
    low, high = np.maximum(start, 0), np.minimum(start + inner.shape, grid.shape)
    out = torch.zeros(grid.shape, dtype=torch.bool)
    if (high > low).all():
        place = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        out[place] = inner[tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))]
    return out


def write_label_structures(path: str | Path, structures: Sequence[Structure], grid: Lattice) -> list[str]:
    """Write a label map on ``grid``; where structures overlap the first in order wins, and a sentence says so."""
    labels, shared = torch.zeros(grid.shape, dtype=torch.int32), 0
    for structure in structures:
        mask = on_grid(structure, grid)
        shared += int((mask & (labels > 0)).sum())
        labels[mask & (labels == 0)] = structure.number
    write_labels(path, labels, grid)
    if not shared:
        return []
    return [f"{shared} voxels belong to several structures; a label map holds one each, so the first has them."]


def read_segmentation(path: str | Path) -> StructureSet:
    """Every segment of a Slicer segmentation, in all of its layers.

    What the file does not say is what Slicer takes it for: a segment without a layer has the layer of its own number
    (up to Slicer 4.10 each had one), without a label value 1; where no segment is named each value is one.

    Raises:
        DsirError: not a .seg.nrrd, damaged, or empty.
    """
    path = Path(path)
    values, affine, header = nrrd.read(path)
    lattice = Lattice(values.shape[1:], affine)
    segments = _segments(header) or _unnamed(values)
    if not segments:
        raise DsirError(f"{path} holds no segments: every voxel is 0.")
    names, remarks = unique_names([segment.get("Name", segment["ID"]) for segment in segments])
    structures = []
    owners: dict[tuple[int, int], str] = {}
    left = [set(np.unique(layer).tolist()) - {0} for layer in values]
    for number, (name, segment) in enumerate(zip(names, segments, strict=True), start=1):
        layer, value = _place(segment, number - 1, path)
        if layer >= len(values):
            remarks.append(f"{name} is left out: its layer {layer} is not in the file.")
            continue
        if (layer, value) in owners:
            raise DsirError(
                f"{path} is damaged: {owners[layer, value]} and {name} both have the value {value} of layer {layer}, "
                "so nobody knows whose its voxels are."
            )
        owners[layer, value] = name
        left[layer].discard(value)
        if value == 0:
            remarks.append(f"{name} is left out: its value is 0, which is the background.")
            continue
        mask = torch.from_numpy(np.ascontiguousarray(values[layer] == value))
        if not mask.any():
            remarks.append(f"{name} is left out: it is empty.")
            continue
        role = Role(kind=_tag(segment, "DicomRtImport.RoiType"), terminology=_terminology(segment))
        colour = _colour(segment.get("Color", segment.get("DefaultColor", "")), number)
        structures.append(from_mask(mask, lattice, name=name, number=number, colour=colour, role=role))
    if not structures:
        raise DsirError(f"Nothing in {path} can be used. {' '.join(remarks)}")
    unnamed = sorted(set().union(*left))
    if unnamed:
        some = ", ".join(map(str, unnamed[:5])) + (", ..." if len(unnamed) > 5 else "")
        remarks.append(f"Voxels of the value {some} belong to no segment and are left out.")
    return StructureSet(lattice, tuple(structures), remarks=tuple(remarks))


def read_dicom_segmentation(path: str | Path, series: Series | None = None) -> StructureSet:
    """Every segment of a DICOM segmentation object, and the slice before and behind: that its frames end there says
    nothing of the scan, since those that no segment meets are left out of the object.

    Raises:
        DsirError: as :func:`dsir.rt.segmentation_in.read_segmentation_object`, or it lies in another frame of reference
            than ``series``.
    """
    found = read_segmentation_object(path)
    header = read_header(Path(path))
    if series is not None and header is not None:
        series.check_frame(header, Path(path))
    names, remarks = unique_names([segment.name for segment in found.segments])
    structures = [
        from_mask(s.mask, found.lattice, name=name, number=s.number, colour=s.colour, role=s.role)
        for name, s in zip(names, found.segments, strict=True)
    ]
    slice_before = np.array([0, 0, -1])
    wider = found.lattice.window(slice_before, np.array(found.lattice.shape) - 2 * slice_before)
    return StructureSet(wider, tuple(structures), remarks=(*found.remarks, *remarks))


def _place(segment: Mapping[str, str], number: int, path: Path) -> tuple[int, int]:
    """The layer and the value of a segment, by Slicer's defaults where the file does not say them."""
    try:
        layer, value = int(segment.get("Layer", number)), int(segment.get("LabelValue", 1))
    except ValueError:
        raise DsirError(f"{path} is damaged: the layer or label value of a segment is not a number.") from None
    if layer < 0:
        raise DsirError(f"{path} is damaged: a segment has the layer {layer}.")
    return layer, value


def _unnamed(values: np.ndarray) -> list[dict[str, str]]:
    """A segment for each value of each layer, as Slicer makes them of a plain label map."""
    return [
        {"ID": f"Segment_{value}", "Layer": str(layer), "LabelValue": str(value)}
        for layer, of_layer in enumerate(values)
        for value in np.unique(of_layer)
        if value != 0
    ]


def write_segmentation(path: str | Path, structures: Sequence[Structure], grid: Lattice) -> None:
    """Write a Slicer segmentation on ``grid``; structures that overlap go to layers of their own."""
    layers: list[torch.Tensor] = []
    header = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for n, structure in enumerate(structures):
        mask = on_grid(structure, grid)
        layer = next((i for i, taken in enumerate(layers) if not (mask & (taken > 0)).any()), len(layers))
        if layer == len(layers):
            layers.append(torch.zeros(grid.shape, dtype=torch.uint8 if len(structures) < 256 else torch.int16))
        value = int(layers[layer].max()) + 1
        layers[layer][mask] = value
        header |= _segment(n, structure, layer, value, mask)
    values = torch.stack(layers or [torch.zeros(grid.shape, dtype=torch.uint8)]).numpy()
    nrrd.write(path, values, grid.affine, header)


def _segment(n: int, structure: Structure, layer: int, value: int, mask: torch.Tensor) -> dict[str, str]:
    at = mask.nonzero()
    low, high = (at.amin(0).tolist(), at.amax(0).tolist()) if len(at) else ([0, 0, 0], [-1, -1, -1])
    tags = []
    if structure.role.kind:
        tags.append(f"DicomRtImport.RoiType:{structure.role.kind}")
    if structure.role.terminology:
        tags.append(f"TerminologyEntry:{structure.role.terminology}")
    return {
        f"Segment{n}_ID": f"Segment_{n + 1}",
        f"Segment{n}_Name": structure.name,
        f"Segment{n}_NameAutoGenerated": "0",
        f"Segment{n}_Color": " ".join(f"{c / 255:.6g}" for c in structure.colour),
        f"Segment{n}_ColorAutoGenerated": "0",
        f"Segment{n}_Layer": str(layer),
        f"Segment{n}_LabelValue": str(value),
        f"Segment{n}_Extent": " ".join(f"{a} {b}" for a, b in zip(low, high, strict=True)),
        f"Segment{n}_Tags": "|".join([*tags, ""]),
    }


def _segments(header: Mapping[str, str]) -> list[dict[str, str]]:
    """The header's ``Segment<n>_<key>`` entries, one dictionary a segment, in order."""
    found: dict[int, dict[str, str]] = {}
    for key, value in header.items():
        head, _, tail = key.partition("_")
        if head.startswith("Segment") and head[7:].isdecimal() and len(head) < 16:
            found.setdefault(int(head[7:]), {})[tail] = value
    numbered = (found.get(n, {}) for n in count())
    return list(takewhile(lambda segment: "ID" in segment, numbered))  # Slicer stops at the first number without one


def _tag(segment: Mapping[str, str], name: str) -> str:
    for part in segment.get("Tags", "").split("|"):
        key, _, value = part.partition(":")
        if key == name:
            return value
    return ""


def _terminology(segment: Mapping[str, str]) -> str:
    return _tag(segment, "TerminologyEntry") or _tag(segment, "Segmentation.TerminologyEntry")


def _colour(text: str, number: int) -> tuple[int, int, int]:
    try:
        red, green, blue = (min(max(round(255 * float(part)), 0), 255) for part in text.split())
    except (ValueError, OverflowError):
        return colour_of(number)
    return red, green, blue

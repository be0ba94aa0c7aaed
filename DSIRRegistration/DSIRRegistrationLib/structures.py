"""Carry structures of the moving scan onto the fixed one, by the engine, on clones."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from dsir.errors import DsirError
from dsir.messages import sentence
from dsir.progress import Progress, within

from . import worker
from .engine_process import Launcher
from .nodes.scene import all_or_nothing, place_beside
from .nodes.segments import layers, names, place_segmentation
from .nodes.shapes import Points, place_points, points_of
from .nodes.transforms import write_transform
from .nodes.volumes import lattice_of, place_volume, read_array, write_array, write_volume
from .persons import check_one_person


@dataclass(frozen=True, eq=False)
class _Labels:
    """One label file: of a label map volume (no segments), or some segments of a segmentation."""

    node: slicer.vtkMRMLNode
    path: Path
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Carried:
    """What came back from the engine, not yet in the scene.

    Attributes:
        nodes: what was carried, in the order it was given.
        masks: segmentation node ID to segment ID to (I, J, K) bool on the fixed voxels.
        maps: label map volume node ID to (I, J, K) labels on the fixed voxels.
        points: node ID to its points and where they went, (N, 3) world RAS mm.
        remarks: what a reader must know, one sentence each.
    """

    nodes: tuple[slicer.vtkMRMLNode, ...]
    masks: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    points: dict[str, tuple[Points, np.ndarray]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def carry(
    transform: Path,
    reference: Path,
    nodes: Iterable[slicer.vtkMRMLNode],
    folder: Path,
    *,
    moving: slicer.vtkMRMLScalarVolumeNode | None,
    launch: Launcher,
    progress: Progress,
) -> Generator[None, None, Carried]:
    """Pull labels and push points, in small steps.

    Segments that overlap go in several files, each through the engine on its own; all points go in one.

    Args:
        transform, reference: files: fixed to moving, and the fixed volume.
        moving: the scan whose voxels closed surfaces are filled in; voxels of their own where it is None.

    Raises:
        DsirError: a node cannot be propagated.
    """
    carried = Carried(tuple(nodes))
    labels, points = _gather(carried.nodes, moving, folder)
    yield
    for number in range(max(len(labels), 1 if points else 0)):
        kinds = {}
        if number < len(labels):
            kinds["labels"] = labels[number].path
        if number == 0 and points:
            kinds["points"] = folder / "points.csv"
        out = folder / f"carried{number}"
        target = out  # a folder that the engine makes, or one file in a folder of ours
        if len(kinds) == 1:
            out.mkdir()
            target = out / next(iter(kinds.values())).name
        words = yield from worker.run(
            ["apply", "--transform", str(transform), "--reference", str(reference), "--out", str(target)]
            + [text for kind, path in kinds.items() for text in (f"--{kind}", str(path))],
            folder,
            launch=launch,
            progress=within(progress, number / max(len(labels), 1), (number + 1) / max(len(labels), 1)),
        )
        said = list(words.get("messages", ()))
        if "labels" in kinds:
            found = read_array(out / kinds["labels"].name)
            said = _take_labels(labels[number], found, said, carried)
        if "points" in kinds:
            _take_points(points, out / "points.csv", carried)
        carried.remarks.extend(message["text"] for message in said)
        yield
    return carried


def place_carried(
    carried: Carried, fixed: slicer.vtkMRMLScalarVolumeNode, *, two_persons: bool = False
) -> tuple[slicer.vtkMRMLNode, ...]:
    """Put everything into the scene as clones on the fixed scan, beside it in the subject hierarchy.

    Args:
        two_persons: they were drawn on another person; their names say so.
    """
    from dsir.workflow.identity_gate import LABEL  # needs pydicom, which a Slicer may lack when the panel opens

    placed, label = [], f" ({LABEL})" if two_persons else ""
    for node in carried.nodes:
        name, key = f"{node.GetName()} on {fixed.GetName()}{label}", node.GetID()
        if key in carried.masks:
            clone = place_segmentation(node, carried.masks[key], fixed, name=name)
        elif key in carried.maps:
            clone = place_volume(carried.maps[key], fixed, name=name, node_class="vtkMRMLLabelMapVolumeNode")
        else:
            clone = place_points(*carried.points[key], name=name)
        place_beside(clone, fixed)
        placed.append(clone)
    return tuple(placed)


def _gather(
    nodes: tuple[slicer.vtkMRMLNode, ...], moving: slicer.vtkMRMLScalarVolumeNode | None, folder: Path
) -> tuple[list[_Labels], list[Points]]:
    """Write what the engine reads."""
    labels: list[_Labels] = []
    points: list[Points] = []
    for node in nodes:
        if node.IsA("vtkMRMLSegmentationNode"):
            found = layers(node, moving)
            if not found:
                raise DsirError(f"{node.GetName()} holds no segment that is not empty.")
            for layer in found:
                path = folder / f"labels{len(labels)}.nii"
                write_array(path, layer.labels, layer.lattice)
                labels.append(_Labels(node, path, layer.segments))
        elif node.IsA("vtkMRMLLabelMapVolumeNode"):
            path = folder / f"labels{len(labels)}.nii"
            lattice_of(node)
            write_volume(path, node)
            labels.append(_Labels(node, path))
        else:
            points.append(points_of(node))
    if points:
        places = np.concatenate([p.places for p in points])
        np.savetxt(folder / "points.csv", places, fmt="%.6f", delimiter=",", header="x,y,z", comments="")
    return labels, points


def _take_labels(
    source: _Labels, found: np.ndarray, said: list[dict[str, Any]], carried: Carried
) -> list[dict[str, Any]]:
    """Sort the label file in; gives the messages with names in the place of numbers."""
    key = source.node.GetID()
    if not source.segments:
        carried.maps[key] = found
        return [{**message, "text": f"{source.node.GetName()}: {message['text']}"} for message in said]
    masks = carried.masks.setdefault(key, {})
    for value, segment in enumerate(source.segments, start=1):
        masks[segment] = found == value
    called = names(source.node)
    told = []
    for message in said:
        values = dict(message["values"])
        if "labels" in values:
            values["labels"] = [called[source.segments[int(n) - 1]] for n in values["labels"]]
            message = {**message, "text": sentence(f"{message['code']}_named", values)}
        told.append(message)
    return told


def _take_points(points: list[Points], path: Path, carried: Carried) -> None:
    places = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    start = 0
    for own in points:
        carried.points[own.node.GetID()] = (own, places[start : start + len(own.places)])
        start += len(own.places)


def carry_onto(
    transform: slicer.vtkMRMLTransformNode,
    nodes: Iterable[slicer.vtkMRMLNode],
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode | None,
    different_patients: bool,
    launch: Launcher,
    progress: Progress,
) -> Generator[None, None, tuple[slicer.vtkMRMLNode, ...]]:
    """Carry structures by a transform of the scene, in small steps; gives the clones.

    Raises:
        DsirError: as :func:`carry`, or the nodes are of two persons and that was not said.
    """
    nodes = tuple(nodes)
    said = check_one_person((fixed, moving, *nodes), different_patients=different_patients)
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_volume(folder / "fixed.nii", fixed)
        write_transform(folder / "transform.h5", transform, lattice_of(fixed))
        carried = yield from carry(
            folder / "transform.h5",
            folder / "fixed.nii",
            nodes,
            folder,
            moving=moving,
            launch=launch,
            progress=progress,
        )
        with all_or_nothing(fixed.GetScene()):
            return place_carried(carried, fixed, two_persons=bool(said))

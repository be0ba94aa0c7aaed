"""Structures of the scene as the files that the engine reads, and what it wrote of them sorted in again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from dsir.errors import DsirError
from dsir.messages import sentence

from .nodes.segments import layers, names
from .nodes.shapes import Points, points_of
from .nodes.volumes import lattice_of, write_array, write_volume


@dataclass(frozen=True, eq=False)
class LabelFile:
    """One label file: of a label map volume (no segments), or some segments of a segmentation."""

    node: slicer.vtkMRMLNode
    path: Path
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Propagated:
    """What came back from the engine, not yet in the scene.

    Attributes:
        nodes: what was propagated, in the order it was given.
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


def write_structures(
    nodes: tuple[slicer.vtkMRMLNode, ...], moving: slicer.vtkMRMLScalarVolumeNode | None, folder: Path
) -> tuple[list[LabelFile], list[Points]]:
    """Write what the engine reads."""
    labels: list[LabelFile] = []
    points: list[Points] = []
    for node in nodes:
        if node.IsA("vtkMRMLSegmentationNode"):
            found = layers(node, moving)
            if not found:
                raise DsirError(f"{node.GetName()} holds no segment that is not empty.")
            for layer in found:
                path = folder / f"labels{len(labels)}.nii"
                write_array(path, layer.labels, layer.lattice)
                labels.append(LabelFile(node, path, layer.segments))
        elif node.IsA("vtkMRMLLabelMapVolumeNode"):
            path = folder / f"labels{len(labels)}.nii"
            lattice_of(node)
            write_volume(path, node)
            labels.append(LabelFile(node, path))
        else:
            points.append(points_of(node))
    if points:
        places = np.concatenate([p.places for p in points])
        np.savetxt(folder / "points.csv", places, fmt="%.6f", delimiter=",", header="x,y,z", comments="")
    return labels, points


def take_labels(
    source: LabelFile, found: np.ndarray, said: list[dict[str, Any]], propagated: Propagated
) -> list[dict[str, Any]]:
    """Sort the label file in; gives the messages with names in the place of numbers."""
    key = source.node.GetID()
    if not source.segments:
        propagated.maps[key] = found
        return [{**message, "text": f"{source.node.GetName()}: {message['text']}"} for message in said]
    masks = propagated.masks.setdefault(key, {})
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


def take_points(points: list[Points], path: Path, propagated: Propagated) -> None:
    """Sort the points' file in."""
    places = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    start = 0
    for own in points:
        propagated.points[own.node.GetID()] = (own, places[start : start + len(own.places)])
        start += len(own.places)

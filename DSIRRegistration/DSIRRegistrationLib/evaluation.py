"""Measure a transform against what is known of both scans: segments with the same name, landmarks in pairs."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from dsir.errors import DsirError
from dsir.progress import Progress, within

from . import worker
from .engine_process import Launcher
from .evaluation_rows import EVALUATION
from .nodes.segments import layers, names
from .nodes.shapes import paired_points
from .nodes.transforms import write_transform
from .nodes.volumes import lattice_of, write_array
from .verdict import worse

Pair = tuple[slicer.vtkMRMLNode, slicer.vtkMRMLNode]


def evaluation(
    transform: slicer.vtkMRMLTransformNode,
    fixed: slicer.vtkMRMLScalarVolumeNode | None,
    segmentations: Pair | None,
    landmarks: Pair | None,
    launch: Launcher,
    progress: Progress,
) -> Generator[None, None, dict[str, Any]]:
    """Dice, surface distances and landmark errors, each before and after; as ``dsir evaluate`` gives them.

    The result is kept as an attribute of the transform node too, so that a saved scene shows it again.

    Args:
        segmentations, landmarks: of the fixed and of the moving scan.

    Raises:
        DsirError: there is nothing to compare, or it does not fit.
    """
    if segmentations is None and landmarks is None:
        raise DsirError("There is nothing to compare: choose segmentations or landmarks of both scans.")
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_transform(folder / "transform.h5", transform, lattice_of(fixed) if fixed else None)
        base = ["evaluate", "--transform", str(folder / "transform.h5")]
        jobs: list[list[str]] = []
        if segmentations is not None:
            jobs += _shared_segments(*segmentations, folder)
        if landmarks is not None:
            rows = np.hstack(paired_points(*landmarks))
            np.savetxt(folder / "landmarks.csv", rows, "%.6f", ",", header="fx,fy,fz,mx,my,mz", comments="")
            jobs = jobs or [[]]
            jobs[0] = [*jobs[0], "--landmarks", str(folder / "landmarks.csv")]
        found: dict[str, Any] = {}
        yield
        for number, job in enumerate(jobs):
            words = yield from worker.run(
                [*base, *job],
                folder,
                launch=launch,
                progress=within(progress, number / len(jobs), (number + 1) / len(jobs)),
            )
            found = _joined(found, words["measures"])
    transform.SetAttribute(EVALUATION, json.dumps(found))
    return found


def _shared_segments(
    fixed: slicer.vtkMRMLSegmentationNode, moving: slicer.vtkMRMLSegmentationNode, folder: Path
) -> list[list[str]]:
    """Label files of the segments that both sides name alike, one pair for each layer without overlaps."""
    theirs = {name.strip().lower(): segment for segment, name in names(moving).items()}
    pairs = [
        (segment, theirs[name.strip().lower()], name)
        for segment, name in names(fixed).items()
        if name.strip().lower() in theirs
    ]
    if not pairs:
        raise DsirError(f"{fixed.GetName()} and {moving.GetName()} have no segment of the same name.")
    own = {pair[0]: pair for pair in pairs}
    jobs: list[list[str]] = []
    for layer in layers(fixed, None, own):
        matching = [own[segment][1] for segment in layer.segments]
        for other in layers(moving, None, matching):
            number = len(jobs)
            chosen = [n for n, segment in enumerate(matching) if segment in other.segments]
            ours, others = np.zeros_like(layer.labels), np.zeros_like(other.labels)
            table = []
            for value, n in enumerate(chosen, start=1):
                ours[layer.labels == n + 1] = value
                others[other.labels == other.segments.index(matching[n]) + 1] = value
                table.append((value, own[layer.segments[n]][2]))
            write_array(folder / f"fixed{number}.nii", ours, layer.lattice)
            write_array(folder / f"moving{number}.nii", others, other.lattice)
            with (folder / f"names{number}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("value", "name"), *table])
            files = {"--fixed-labels": "fixed{}.nii", "--moving-labels": "moving{}.nii", "--names": "names{}.csv"}
            jobs.append([text for key, file in files.items() for text in (key, str(folder / file.format(number)))])
    if not jobs:
        raise DsirError("The segments that both sides name alike are empty.")
    return jobs


def _joined(before: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Several layers as one result; means over all labels."""
    labels = {
        str(n): label
        for n, label in enumerate([*before.get("labels", {}).values(), *new.get("labels", {}).values()], start=1)
    }
    joined = {**before, **new}
    if "verdict" in before and "verdict" in new:
        joined["verdict"] = worse(before["verdict"], new["verdict"])
    if labels:
        joined["labels"] = labels
        joined["dice"] = {
            side: {"mean": float(np.mean([label[side]["dice"] for label in labels.values()]))}
            for side in ("before", "after")
        }
    return joined

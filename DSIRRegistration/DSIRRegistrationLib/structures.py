"""Propagate structures of the moving scan onto the fixed one, by the engine, on clones."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path

import slicer
from dsir.progress import Progress, within

from . import worker
from .engine_process import Launcher
from .nodes.scene import all_or_nothing, place_beside
from .nodes.segments import place_segmentation
from .nodes.shapes import place_points
from .nodes.transforms import write_transform
from .nodes.volumes import lattice_of, place_volume, read_array, write_volume
from .persons import check_one_person
from .structure_files import Propagated, take_labels, take_points, write_structures


def propagate(
    transform: Path,
    reference: Path,
    nodes: Iterable[slicer.vtkMRMLNode],
    folder: Path,
    *,
    moving: slicer.vtkMRMLScalarVolumeNode | None,
    launch: Launcher,
    progress: Progress,
) -> Generator[None, None, Propagated]:
    """Pull labels and push points, in small steps.

    Segments that overlap go in several files, each through the engine on its own; all points go in one.

    Args:
        transform, reference: files: fixed to moving, and the fixed volume.
        moving: the scan whose voxels closed surfaces are filled in; voxels of their own where it is None.

    Raises:
        DsirError: a node cannot be propagated.
    """
    propagated = Propagated(tuple(nodes))
    labels, points = write_structures(propagated.nodes, moving, folder)
    yield
    for number in range(max(len(labels), 1 if points else 0)):
        kinds = {}
        if number < len(labels):
            kinds["labels"] = labels[number].path
        if number == 0 and points:
            kinds["points"] = folder / "points.csv"
        out = folder / f"propagated{number}"
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
            said = take_labels(labels[number], found, said, propagated)
        if "points" in kinds:
            take_points(points, out / "points.csv", propagated)
        propagated.remarks.extend(message["text"] for message in said)
        yield
    return propagated


def place_propagated(
    propagated: Propagated, fixed: slicer.vtkMRMLScalarVolumeNode, *, two_persons: bool = False
) -> tuple[slicer.vtkMRMLNode, ...]:
    """Put everything into the scene as clones on the fixed scan, beside it in the subject hierarchy.

    Args:
        two_persons: they were drawn on another person; their names say so.
    """
    from dsir.workflow.identity_gate import LABEL  # needs pydicom, which a Slicer may lack when the panel opens

    placed, label = [], f" ({LABEL})" if two_persons else ""
    for node in propagated.nodes:
        name, key = f"{node.GetName()} on {fixed.GetName()}{label}", node.GetID()
        if key in propagated.masks:
            clone = place_segmentation(node, propagated.masks[key], fixed, name=name)
        elif key in propagated.maps:
            clone = place_volume(propagated.maps[key], fixed, name=name, node_class="vtkMRMLLabelMapVolumeNode")
        else:
            clone = place_points(*propagated.points[key], name=name)
        place_beside(clone, fixed)
        placed.append(clone)
    return tuple(placed)


def propagate_onto(
    transform: slicer.vtkMRMLTransformNode,
    nodes: Iterable[slicer.vtkMRMLNode],
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode | None,
    different_patients: bool,
    launch: Launcher,
    progress: Progress,
) -> Generator[None, None, tuple[slicer.vtkMRMLNode, ...]]:
    """Propagate structures by a transform of the scene, in small steps; gives the clones.

    Raises:
        DsirError: as :func:`propagate`, or the nodes are of two persons and that was not said.
    """
    nodes = tuple(nodes)
    said = check_one_person((fixed, moving, *nodes), different_patients=different_patients)
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_volume(folder / "fixed.nii", fixed)
        write_transform(folder / "transform.h5", transform, lattice_of(fixed))
        propagated = yield from propagate(
            folder / "transform.h5",
            folder / "fixed.nii",
            nodes,
            folder,
            moving=moving,
            launch=launch,
            progress=progress,
        )
        with all_or_nothing(fixed.GetScene()):
            return place_propagated(propagated, fixed, two_persons=bool(said))

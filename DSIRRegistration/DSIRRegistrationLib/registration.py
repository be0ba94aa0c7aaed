"""One registration from nodes to nodes: hand the scans to the engine, watch it, bring its result into the scene."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.cli.options import TASKS
from dsir.errors import Cancelled, DsirError
from dsir.files.landmarks import write_landmarks
from dsir.geometry.lattice import Lattice
from dsir.progress import Progress, within

from . import worker
from .confidence_map import Confidence, confidence, place_confidence
from .engine_process import Launcher
from .nodes.scene import all_or_nothing, is_in_scene, place_beside
from .nodes.segments import segment_mask
from .nodes.slabs import read_slabs, write_slabs
from .nodes.transforms import describe_transform, place_transform, read_transform, write_transform
from .nodes.volumes import lattice_of, place_volume, window_of, write_array, write_volume
from .pairs import landmarks
from .persons import check_one_person, surely_one_person
from .quality import REPORT, summary
from .structure_files import Propagated
from .structures import place_propagated, propagate
from .task import Mask, Registered, Task

SHARE = 0.9
"""Of the whole run that registering takes; the rest is for what is propagated along."""


def registration(task: Task, launch: Launcher, progress: Progress) -> Generator[bool | None, None, Registered]:
    """Do the task in small steps.

    Raises:
        DsirError: an input cannot be used; the sentence says which and why.
        Cancelled: a node was removed while the engine worked.
    """
    fixed = lattice_of(task.fixed)
    lattice_of(task.moving, below=task.transform)  # refuses what cannot be used before anything is written
    if task.fixed is task.moving:
        raise DsirError("Fixed and moving are the same volume; choose two.")
    said = check_one_person(task.people, different_patients=task.different_patients)
    progress("reading", 0.0, "handing the scans over")
    with tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        yield False
        arguments = yield from _hand_over(task, folder, fixed)
        out = folder / "result"
        words = yield from worker.run(
            ["register", *arguments, "--out", str(out)],
            folder,
            launch=launch,
            progress=within(progress, 0.0, SHARE if task.structures else 0.98),
            inputs=_called(folder),
        )
        report = words.get("report") or json.loads((out / "report.json").read_text(encoding="utf-8"))
        report = {**report, "warnings": [*said, *report.get("warnings", ())]}
        transform = out / "transform.h5"
        propagated: Propagated | None = None
        if task.structures:
            propagated = yield from propagate(
                transform,
                folder / "fixed.nii",
                task.structures,
                folder,
                moving=task.moving,
                launch=launch,
                progress=within(progress, SHARE, 0.98),
            )
        measured: Confidence | None = None
        if task.with_confidence:
            part = within(progress, 0.95, 0.98)
            measured = yield from confidence(folder, transform, propagated, fixed, launch=launch, progress=part)
        progress("placing", 0.98, "bringing the result into the scene")
        yield False
        kind: np.dtype = slicer.util.arrayFromVolume(task.moving).dtype
        if not np.issubdtype(kind, np.integer):  # a CT stays whole Hounsfield units, and half the size
            kind = np.dtype(np.float32)
        warped = yield from read_slabs(out / "warped.nii.gz", kind)
        jacobian = (yield from read_slabs(out / "jacobian.nii.gz")) if task.with_jacobian else None
        field = read_transform(transform)
        yield True
        if not is_in_scene(
            task.fixed, task.moving, task.transform, task.warped, task.jacobian, task.confidence, *task.structures
        ):
            raise Cancelled("A node of the registration was removed while it ran; nothing was changed.")
        with all_or_nothing(task.fixed.GetScene()):
            placed = _place(task, field, warped, jacobian, propagated, measured, report, two_persons=bool(said))
        yield True  # the views may draw before the panel reads the report
    progress("done", 1.0, summary(placed.report))
    return placed


def _hand_over(task: Task, folder: Path, fixed: Lattice) -> Generator[bool, None, list[str]]:
    """Write the inputs; gives the command's arguments."""
    arguments = ["--preset", task.preset]
    for role, node in (("fixed", task.fixed), ("moving", task.moving)):
        lattice = lattice_of(node, below=task.result_above)
        yield from write_slabs(folder / f"{role}.nii", node, lattice)
        arguments += [f"--{role}", str(folder / f"{role}.nii")]
    for role, mask, node in (
        ("fixed-mask", task.fixed_mask, task.fixed),
        ("moving-mask", task.moving_mask, task.moving),
    ):
        if mask is not None:
            path = folder / f"{role}.nii"
            _write_mask(path, mask, node)
            arguments += [f"--{role}", str(path)]
            yield True
    if task.refine is not None:
        write_transform(folder / "refine.h5", task.refine, fixed)
        arguments += ["--refine", str(folder / "refine.h5")]
        if not task.with_jacobian:
            arguments.append("--brief")
    elif task.initial is not None:
        write_transform(folder / "initial.h5", task.initial, fixed)
        arguments += ["--initial", str(folder / "initial.h5")]
    if task.pairs is not None:
        write_landmarks(folder / "pairs.csv", landmarks(*task.pairs, below=task.result_above))
        arguments += ["--landmarks", str(folder / "pairs.csv")]
    settings = dict(task.settings)
    if task.preset not in TASKS and surely_one_person(task.fixed, task.moving):
        settings.setdefault("same_person", True)
    if settings:
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        arguments += ["--settings", str(folder / "settings.json")]
    for assignment in task.assignments:
        arguments += ["--set", assignment]
    return arguments


def _write_mask(path: Path, mask: Mask, volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    if mask.node.IsA("vtkMRMLSegmentationNode"):
        if not mask.segment:
            raise DsirError(f"Choose which segment of {mask.node.GetName()} is the mask.")
        values, lattice = segment_mask(mask.node, mask.segment, volume)
        write_array(path, values.astype(np.uint8), lattice)
    else:
        write_volume(path, mask.node)


def _place(
    task: Task,
    transform: vtk.vtkAbstractTransform,
    warped: vtk.vtkImageData,
    jacobian: vtk.vtkImageData | None,
    propagated: Propagated | None,
    measured: Confidence | None,
    report: dict,
    *,
    two_persons: bool,
) -> Registered:
    scene, pair = task.fixed.GetScene(), f"{task.moving.GetName()} to {task.fixed.GetName()}"
    node = place_transform(scene, transform, name=f"{pair} (DSIR)", target=task.transform)
    describe_transform(node, task.fixed, task.moving, summary(report))
    name = f"{task.moving.GetName()} (DSIR)"
    volume = place_volume(warped, task.fixed, name=name, target=task.warped, window=window_of(task.moving))
    determinants = task.jacobian
    if jacobian is not None:
        name = f"{pair} Jacobian"
        determinants = place_volume(jacobian, task.fixed, name=name, target=task.jacobian, window=(1.0, 1.0))
    structures = place_propagated(propagated, task.fixed, two_persons=two_persons) if propagated else ()
    shown_map = measured and place_confidence(measured, scene, name=f"{pair} confidence", target=task.confidence)
    if measured:
        report = {**report, "confidence": measured.facts}
    report = {**report, "warnings": [*report.get("warnings", ()), *(propagated.remarks if propagated else ())]}
    node.SetAttribute(REPORT, json.dumps(report))
    for made in (
        node,
        volume,
        *([determinants] if jacobian is not None else []),
        *([shown_map] if measured else []),
        *structures,
    ):
        place_beside(made, task.fixed)
    return Registered(node, volume, determinants if jacobian is not None else None, structures, report, shown_map)


def _called(folder: Path) -> dict[str, str]:
    """What the engine's sentences call our files, and what the user calls them."""
    return {
        str(folder / "fixed-mask.nii"): "the fixed mask",
        str(folder / "moving-mask.nii"): "the moving mask",
        str(folder / "fixed.nii"): "The fixed volume",
        str(folder / "moving.nii"): "The moving volume",
        str(folder / "initial.h5"): "The initial transform",
        str(folder / "refine.h5"): "The transform to refine",
        str(folder / "pairs.csv"): "The list of pairs",
        str(folder / "settings.json"): "of the panel",
    }

"""What can be said before Apply: what stops a run, what deserves a look, and what it will cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from dsir.cli.options import TASKS
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice

from .nodes.volumes import lattice_of, matrix_to_world
from .persons import two_persons
from .task import Task

SPACING = {"fast": 3.0, "default": 2.0, "accurate": 1.5, "paper": 2.0, **dict.fromkeys(TASKS, 2.0)}
"""mm of the working lattice of each preset."""

MOST = {"accurate": 12.0}
"""Million voxels that the working lattice has at most; 5 for the other presets."""

MEMORY = (0.6, 0.75)
"""GB: of the engine itself, and for each million voxels of the working lattice (measured, MIND, CPU)."""

SECONDS = {"fast": 25.0, "default": 35.0, "accurate": 60.0, "paper": 60.0}
"""For each million voxels of the working lattice, on one core (measured)."""

ROLES = {
    "fixed": "Choose the fixed scan: the one that stays as it is.",
    "moving": "Choose the moving scan: the one that is brought onto it.",
}
"""What is asked for at first."""

UNCHOSEN = "unchosen"
"""The code of a finding that is no fault: nothing was chosen yet."""

PERSONS = "persons"
"""The code of a finding about two persons."""


@dataclass(frozen=True)
class Finding:
    """One sentence.

    Attributes:
        level: ``"stop"`` (Apply is off because of it), ``"look"`` or ``"info"``.
        code: what it is about, where the panel shows something for it.
    """

    level: str
    text: str
    code: str = ""


def check(task: Task, missing: tuple[str, ...] = ()) -> list[Finding]:
    """Everything worth saying about a task; quick enough for every change in the panel.

    Args:
        missing: packages that the engine needs and Python lacks.
    """
    found = [Finding("stop", f"The engine needs Python packages that are missing: {', '.join(missing)}.")] * bool(
        missing
    )
    lattices: dict[str, Lattice] = {}
    for role, node in (("fixed", task.fixed), ("moving", task.moving)):
        if node is None:
            found.append(Finding("stop", ROLES[role], UNCHOSEN))
            continue
        try:
            lattices[role] = lattice_of(node, below=task.transform)
        except DsirError as error:
            found.append(Finding("stop", str(error)))
    if len(lattices) < 2:
        return found
    if task.fixed is task.moving:
        return [*found, Finding("stop", "Fixed and moving are the same volume; choose two.")]
    found += _persons(task, missing)
    found += _inputs(task)
    fixed, moving = lattices["fixed"], lattices["moving"]
    found.append(Finding("info", f"Fixed {_size(fixed)}, moving {_size(moving)}."))
    found += _overlap(task, fixed, moving)
    found.append(_cost(task, fixed, moving))
    return found


def _persons(task: Task, missing: tuple[str, ...]) -> list[Finding]:
    """One person or two, as far as DICOM says it."""
    sentence = "" if missing else two_persons(task.people)
    if not sentence:
        return []
    if task.different_patients:
        return [
            Finding("look", "The scans are of two different persons, as you said; the result will say so too.", PERSONS)
        ]
    return [Finding("stop", sentence, PERSONS)]


def _inputs(task: Task) -> list[Finding]:
    found = []
    for role, mask in (("fixed", task.fixed_mask), ("moving", task.moving_mask)):
        if mask is not None and mask.node.IsA("vtkMRMLSegmentationNode") and not mask.segment:
            found.append(Finding("stop", f"Choose which segment of {mask.node.GetName()} is the {role} mask."))
    for node in (task.warped, task.jacobian, task.confidence):
        if node is not None and node in (task.fixed, task.moving):
            found.append(Finding("stop", f"{node.GetName()} is an input; choose another volume for the result."))
    if task.initial is not None:
        if task.transform is task.initial:
            found.append(Finding("stop", f"{task.initial.GetName()} is the initial transform; write to another one."))
        parent = task.moving.GetParentTransformNode()
        while parent is not None:
            if parent is task.initial:
                sentence = "is applied to the moving volume already; take it out there, or it counts twice."
                found.append(Finding("stop", f"{task.initial.GetName()} {sentence}"))
                break
            parent = parent.GetParentTransformNode()
    if task.pairs is not None:
        counts = {node.GetNumberOfControlPoints() for node in task.pairs}
        if len(counts) > 1:
            names = " and ".join(f"{node.GetName()} ({node.GetNumberOfControlPoints()})" for node in task.pairs)
            found.append(Finding("stop", f"Pairs need the same points in both: {names}."))
        else:
            found.append(Finding("info", f"Accepted pairs that steer the run: {counts.pop()}."))
    for node in task.structures:
        try:
            matrix_to_world(node)
        except DsirError as error:
            found.append(Finding("stop", str(error)))
    return found


def _overlap(task: Task, fixed: Lattice, moving: Lattice) -> list[Finding]:
    """How much of the fixed box the moving box covers, as the scans lie now."""
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3, indexing="ij"), -1).reshape(-1, 3)
    share = float(moving.contains(fixed.to_world(steps * (np.array(fixed.shape) - 1))).mean())
    if task.initial is not None or task.pairs is not None:
        return []
    if share == 0:
        if task.settings.get("linear", {}).get("start") == "identity":
            return [Finding("stop", "The scans do not overlap, and the start is 'identity'; choose the start 'auto'.")]
        return [Finding("look", "The scans do not overlap as they lie; a start is searched for. Check the result.")]
    if share < 0.3:
        return [Finding("look", f"The moving scan covers only {100 * share:.0f} % of the fixed one as they lie.")]
    return []


def _cost(task: Task, fixed: Lattice, moving: Lattice) -> Finding:
    """Memory and time, from the size of the working lattice."""
    native = min(float(np.prod(lattice.spacing) ** (1 / 3)) for lattice in (fixed, moving))
    spacing = max(task.settings.get("spacing") or SPACING.get(task.preset, 2.0), native)
    million = min(float(np.prod(fixed.extent / spacing)) / 1e6, MOST.get(task.preset, 5.0))
    memory = MEMORY[0] + MEMORY[1] * million
    seconds = 15 + SECONDS.get(task.preset, 35.0) * million
    time = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{round(seconds, -1):.0f} s"
    device = task.settings.get("device", "auto")
    where = "a GPU if there is one" if device == "auto" else device
    return Finding("info", f"Needs about {memory:.1f} GB of memory; about {time} on one CPU core. Runs on {where}.")


def _size(lattice: Lattice) -> str:
    voxels = " × ".join(str(n) for n in lattice.shape)
    return f"{voxels} voxels of {' × '.join(f'{s:.3g}' for s in lattice.spacing)} mm"

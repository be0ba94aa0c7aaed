"""A whole Learn2Reg data set: register every pair, score it beside peers, and say where that stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..batch.run import run_batch
from ..errors import DsirError
from ..files.images import read_image, read_labels
from ..files.points import read_points
from ..files.transforms import read_transform
from ..geometry.lattice import Lattice
from ..progress import Progress, silent, within
from ..registration.settings import RegistrationSettings
from ..reports.batch.rows import Row, State
from .challenge import challenge_scores, index_displacement
from .learn2reg import DataSet, Task, label_values
from .submission import file_of, read_submission, write_submission

OURS, NOTHING = "DSIR Registration", "nothing done"
PAIRS, FIELDS = "pairs", "displacements"
"""Folders in the result: those of ``dsir batch``, and our fields as one hands them in."""


@dataclass(frozen=True)
class Score:
    """One method on one pair.

    Attributes:
        seconds: of the registration, where we know.
        error: why there are no figures.
        figures: those of :func:`dsir.evaluation.challenge.challenge_scores`.
    """

    method: str
    pair: str
    seconds: float | None = None
    error: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def evaluate_data_set(
    data_set: DataSet,
    out: str | Path,
    settings: RegistrationSettings | None = None,
    *,
    peers: Mapping[str, Path] | None = None,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Progress = silent,
) -> list[Score]:
    """Register every pair into ``out/pairs`` (kept where that is done already), write ``out/displacements``, and score.

    Args:
        peers: method to the folder of its displacement fields, as one hands them in.

    Returns:
        pair by pair: nothing done, ours, then the peers in their order.
    """
    out = Path(out)
    rows = run_batch(
        {task.name: task.pair for task in data_set.tasks},
        out / PAIRS,
        settings,
        workers=workers,
        scheduler=scheduler,
        progress=within(progress, 0.0, 0.8),
    )
    scores: list[Score] = []
    for number, (task, row) in enumerate(zip(data_set.tasks, rows, strict=True)):
        progress("scoring", 0.8 + 0.2 * number / len(rows), f"scoring {task.name}")
        scores += _scores(data_set, task, row, out, peers or {})
    progress("scoring", 1.0, "done")
    return scores


def _scores(data_set: DataSet, task: Task, row: Row, out: Path, peers: Mapping[str, Path]) -> Iterator[Score]:
    try:
        fixed, moving = read_image(task.pair.fixed).lattice, read_image(task.pair.moving).lattice
        known = _known(data_set, task, fixed, moving)
    except DsirError as error:
        yield from (Score(method, task.name, error=str(error)) for method in (NOTHING, OURS, *peers))
        return

    def scored(method: str, displacement: np.ndarray, seconds: float | None = None) -> Score:
        return Score(method, task.name, seconds, figures=challenge_scores(displacement, moving.spacing, **known))

    yield scored(NOTHING, np.zeros((*fixed.shape, 3), np.float32))
    if row.state in (State.DONE, State.KEPT):
        found = read_transform(Path(row.folder) / "transform.h5")
        displacement = index_displacement(found, fixed, moving)
        write_submission(out / FIELDS, task, displacement, fixed.affine)
        yield scored(OURS, displacement, row.seconds)
    else:
        yield Score(OURS, task.name, error=row.error or "not registered")
    for method, folder in peers.items():
        file = file_of(folder, task)
        try:
            if file is None:
                raise DsirError(f"{folder} holds no disp_{task.name}.nii.gz.")
            yield scored(method, read_submission(file, fixed.shape))
        except DsirError as error:
            yield Score(method, task.name, error=str(error))


def _known(data_set: DataSet, task: Task, fixed: Lattice, moving: Lattice) -> dict[str, Any]:
    """What the pair can be scored against."""
    if fixed.shape != moving.shape:
        raise DsirError(f"{task.name}: the challenge needs both images on grids of one size, not {fixed} and {moving}.")
    known: dict[str, Any] = {}
    if task.fixed_labels and task.moving_labels:
        maps = [read_labels(path)[0].numpy() for path in (task.fixed_labels, task.moving_labels)]
        for path, labels in zip((task.fixed_labels, task.moving_labels), maps, strict=True):
            if labels.shape != fixed.shape:
                raise DsirError(f"{path} has {labels.shape} voxels and its image {fixed.shape}.")
        known = {"fixed_labels": maps[0], "moving_labels": maps[1], "values": label_values(data_set, *maps)}
    if task.fixed_points and task.moving_points:
        files = task.fixed_points, task.moving_points
        known["landmarks"] = tuple(read_points(file).points for file in files)  # voxel positions, without a heading
        if len(known["landmarks"][0]) != len(known["landmarks"][1]):
            raise DsirError(f"{task.fixed_points} and {task.moving_points} do not hold equally many points.")
    return known

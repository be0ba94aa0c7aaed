"""``dsir train``: learn the structural representation from single scans."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import DsirError
from ..progress import Progress
from .command import Command, Outcome
from .options import add_machine, begin
from .values import above_zero, count

if TYPE_CHECKING:
    from ..training.place import PlaceTrainingSettings
    from ..training.train import TrainingSettings

S = TypeVar("S", "TrainingSettings", "PlaceTrainingSettings")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of NIfTI volumes, any modality and body part")
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FOLDER", help="where the run lives")
    parser.add_argument(
        "--labelmaps", type=Path, metavar="FOLDER", help="NIfTI label maps to make further images from, in any contrast"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=count, metavar="N", help="optimiser steps in all")
    length.add_argument(
        "--hours", type=above_zero, metavar="H", help="time instead of steps; such a run is not repeatable"
    )
    length.add_argument(
        "--minutes",
        type=above_zero,
        metavar="M",
        help="the same, with a checkpoint every minute, for a lent GPU",
    )
    parser.add_argument("--size", type=count, metavar="N", help="voxels along each side of a view (default: 56; 48)")
    parser.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help="processes that draw examples ahead (default: one for each core but one beside a GPU, none without)",
    )
    parser.add_argument(
        "--batch", type=count, metavar="N", help="examples of each step, over all processes (default: one for each)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of weights and examples (default: 0)")
    parser.add_argument("--init", type=Path, metavar="WEIGHTS", help="weights (.safetensors) to start from")
    parser.add_argument(
        "--place",
        action="store_true",
        help="train the place head (Docs/model.md) beside the find network that ships, in the place of a find network",
    )
    add_machine(parser)
    parser.set_defaults(quiet=os.environ.get("RANK", "0") != "0")  # under torchrun one process speaks


def _check(arguments: argparse.Namespace) -> None:
    """Say before the work what makes a training impossible.

    Raises:
        DsirError: no folder, no step, or views too small to hold anything.
    """
    if not arguments.data.is_dir():
        raise DsirError(f"{arguments.data} is not a folder of volumes.")
    if arguments.size is not None and not SMALLEST <= arguments.size <= LARGEST:
        raise DsirError(f"Views have {SMALLEST} to {LARGEST} voxels along each side, not {arguments.size}.")
    if 0 in (arguments.steps, arguments.batch):
        raise DsirError("A training takes one step of one example at the least.")


SMALLEST, LARGEST = 16, 192
"""Voxels along each side of a view: less shows nothing, more no scan to train on holds at 2 mm."""


def _chosen(arguments: argparse.Namespace, usual: S) -> S:
    """The run's settings: as usual, but for what was given."""
    given: dict[str, Any] = {
        "steps": arguments.steps,
        "hours": arguments.hours,
        "batch": arguments.batch,
        "seed": arguments.seed,
        "workers": arguments.workers,
        "accelerator": arguments.device,
    }
    if arguments.minutes is not None:
        given |= {"hours": arguments.minutes / 60, "checkpoint_minutes": 1.0}
    if arguments.size is not None:
        examples = usual.examples
        given["examples"] = replace(examples, views=replace(examples.views, size=arguments.size))
    return replace(usual, **{name: value for name, value in given.items() if value is not None})


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    _check(arguments)
    begin(arguments, progress)
    where = (arguments.data, arguments.out)
    how: dict[str, Any] = {name: getattr(arguments, name) for name in ("labelmaps", "init", "resume")}
    if arguments.place:
        from ..features.weights import shipped
        from ..training.place import PlaceTrainingSettings, train_place

        weights = train_place(*where, shipped("dsir"), _chosen(arguments, PlaceTrainingSettings()), progress, **how)
        return Outcome(weights.resolve(), (f"Weights in {weights}; try them with --descriptor {weights}",))
    from ..training.train import TrainingSettings, train

    weights = train(*where, _chosen(arguments, TrainingSettings()), progress, **how)
    return Outcome(weights.resolve(), (f"Weights in {weights}",))


COMMAND = Command(
    name="train",
    summary="learn the structural representation from single scans",
    description="""\
Learn the structural representation from single scans: no labels and no aligned pairs are needed.

The folder gets weights.safetensors, checkpoints, settings.json, log.csv and a TensorBoard log. A run that was stopped
goes on with --resume. Several devices or machines share the work under torchrun (Docs/model.md).""",
    usage="DATA --out FOLDER",
    example="dsir train scans/ --out runs/first --labelmaps labelmaps/ --hours 3",
    stopped="Stopped; go on from the last checkpoint with --resume.",
    arguments=_arguments,
    run=_run,
)

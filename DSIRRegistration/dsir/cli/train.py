"""``dsir train``: learn the structural representation from single scans."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DsirError
from ..progress import Progress
from .command import Command, Outcome
from .options import add_machine, use_threads
from .values import count


def add_run(parser: argparse.ArgumentParser) -> None:
    """Options that every training has."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of NIfTI volumes, any modality and body part")
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FOLDER", help="where the run lives")
    parser.add_argument(
        "--labelmaps", type=Path, metavar="FOLDER", help="NIfTI label maps to make further images from, in any contrast"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=count, metavar="N", help="optimiser steps in all")
    length.add_argument("--hours", type=float, metavar="H", help="time instead of steps; such a run is not repeatable")
    parser.add_argument(
        "--batch", type=count, metavar="N", help="examples of each step, over all processes (default: one for each)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of weights and examples (default: 0)")
    parser.set_defaults(quiet=os.environ.get("RANK", "0") != "0")  # under torchrun one process speaks


def check_run(arguments: argparse.Namespace) -> None:
    """Say before the work what makes a training impossible.

    Raises:
        DsirError: no folder, or no time.
    """
    if not arguments.data.is_dir():
        raise DsirError(f"{arguments.data} is not a folder of volumes.")
    if arguments.hours is not None and not arguments.hours > 0:
        raise DsirError(f"{arguments.hours:g} hours are not a time to train for.")


def chosen_run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The run's settings that were given."""
    given = {
        "steps": arguments.steps,
        "hours": arguments.hours,
        "batch": arguments.batch,
        "seed": arguments.seed,
        "accelerator": arguments.device,
    }
    return {name: value for name, value in given.items() if value is not None}


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--init", type=Path, metavar="WEIGHTS", help="weights (.safetensors) to start from")
    parser.add_argument(
        "--place",
        action="store_true",
        help="train the place head (Docs/model.md) beside the find network that ships, in the place of a find network",
    )
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    check_run(arguments)
    progress("reading", 0.0, "loading the engine")
    use_threads(arguments.threads)
    if arguments.place:
        return _run_place(arguments, progress)
    from ..training.train import TrainingSettings, train

    settings = replace(TrainingSettings(), **chosen_run(arguments))
    weights = train(
        arguments.data,
        arguments.out,
        settings,
        progress,
        labelmaps=arguments.labelmaps,
        init=arguments.init,
        resume=arguments.resume,
    )
    return Outcome(weights.resolve(), (f"Weights in {weights}",))


def _run_place(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    from ..features.weights import shipped
    from ..training.place import PlaceTrainingSettings, train_place

    weights = train_place(
        arguments.data,
        arguments.out,
        shipped("dsir"),
        replace(PlaceTrainingSettings(), **chosen_run(arguments)),
        progress,
        labelmaps=arguments.labelmaps,
        init=arguments.init,
        resume=arguments.resume,
    )
    return Outcome(weights.resolve(), (f"Weights in {weights}; try them with --descriptor {weights}",))


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

"""``dsir train-registration``: learn to propose a displacement field in one pass."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ..progress import Progress
from .command import Command, Outcome
from .options import DESCRIPTOR_KINDS, add_machine, count, use_threads
from .train import add_run, check_run, chosen_run


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--descriptor", metavar="NAME", help=f"{DESCRIPTOR_KINDS} (default: dsir)")
    parser.add_argument(
        "--pairs", type=count, metavar="N", help="pairs of views that are described beforehand (default: 64)"
    )
    add_machine(parser)


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    check_run(arguments)
    progress("reading", 0.0, "loading the engine")
    use_threads(arguments.threads)
    from ..training.registration import RegistrationTrainingSettings, train_registration

    settings = replace(RegistrationTrainingSettings(), **chosen_run(arguments))
    if arguments.descriptor:
        settings = replace(settings, descriptor=arguments.descriptor)
    if arguments.pairs:
        settings = replace(settings, pairs=replace(settings.pairs, count=arguments.pairs))
    weights = train_registration(
        arguments.data,
        arguments.out,
        settings,
        progress,
        labelmaps=arguments.labelmaps,
        resume=arguments.resume,
    )
    return Outcome(weights.resolve(), (f"Weights in {weights}",))


COMMAND = Command(
    name="train-registration",
    summary="learn to propose a displacement field in one pass, from single scans",
    description="""\
Learn a network that proposes the whole displacement field in one pass, for the descent of dsir register to begin from
(dsir register --initial-network FOLDER/weights.safetensors). It learns from single scans by the DSIR loss: no pairs, no
labels and no known deformation are needed.

The folder gets weights.safetensors, checkpoints, settings.json, log.csv and a TensorBoard log. A run that was stopped
goes on with --resume. Several devices or machines share the work under torchrun (Docs/model.md).""",
    usage="DATA --out FOLDER",
    example="dsir train-registration scans/ --out runs/reg --hours 3",
    stopped="Stopped; go on from the last checkpoint with --resume.",
    arguments=_arguments,
    run=_run,
)

"""``dsir batch``: many pairs, as far as they go."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from ..errors import DsirError
from ..progress import Progress
from .command import Command, Outcome
from .options import add_different_patients, add_machine, add_settings, count, settings_from


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pairs",
        type=Path,
        metavar="PAIRS.csv",
        help="columns name,fixed,moving and, where wanted, fixed_mask,moving_mask,initial,refine,landmarks,"
        "moving_labels,fixed_labels; paths are relative to this file",
    )
    parser.add_argument("--out", "-o", required=True, type=Path, metavar="FOLDER", help="a folder NAME for each pair")
    parser.add_argument("--exit-zero", action="store_true", help="exit with 0 even where pairs failed")
    add_different_patients(parser)
    add_workers(parser)
    add_settings(parser)
    add_machine(parser)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Who does the work."""
    group = parser.add_argument_group("workers")
    group.add_argument(
        "--workers", type=count, default=0, metavar="N", help="processes on this machine (default: 0, what fits it)"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask scheduler whose workers do it, e.g. tcp://10.0.0.1:8786"
    )


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    settings = settings_from(arguments)
    progress("reading", 0.0, "loading the engine")
    from ..batch.pairs import read_pairs
    from ..batch.run import run_batch
    from ..reports.batch.rows import State
    from ..reports.batch.table import PAGE

    pairs = read_pairs(arguments.pairs)
    if arguments.different_patients:
        pairs = {name: replace(pair, different_patients=True) for name, pair in pairs.items()}
    rows = run_batch(
        pairs,
        arguments.out,
        settings,
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        progress=progress,
    )
    states = Counter(row.state for row in rows)
    failed = [row.name for row in rows if row.state is State.FAILED]
    told = f"{states[State.DONE]} pairs registered, {states[State.KEPT]} kept, {len(failed)} failed"
    if failed and not arguments.exit_zero:
        some = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        raise DsirError(f"{told}: {some}; why is in {arguments.out / PAGE}.")
    table = [{**asdict(row), "state": row.state.value} for row in rows]
    return Outcome(arguments.out.resolve(), (f"{told}; see {arguments.out / PAGE}",), {"pairs": table})


COMMAND = Command(
    name="batch",
    summary="register many pairs, on many workers, and go on where it was stopped",
    description="""\
Register each pair of a list into FOLDER/NAME (see dsir register), and write results.csv and results.html.

The same command goes on after a stop: pairs whose result is there, made from the same files with the same settings,
are kept. A pair that fails, or whose worker dies, does not stop the others. Exit code 0: every pair has its result;
2: some failed, and the table says why. Workers are Dask's: processes here, or those of any scheduler.""",
    usage="PAIRS.csv --out FOLDER",
    example="dsir batch pairs.csv --out results/ --workers 4 --preset fast",
    arguments=_arguments,
    run=_run,
    stopped="Stopped; finished pairs stay, and the same command goes on with the others.",
)

"""``dsir evaluate --learn2reg``: every pair of a challenge's data set, registered and scored."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import DsirError
from ..progress import Progress
from .batch import add_workers
from .command import Outcome
from .options import add_settings, settings_from


def add_data_set(parser: argparse.ArgumentParser) -> None:
    """What goes with ``--learn2reg``."""
    group = parser.add_argument_group("a whole data set (with --learn2reg)")
    group.add_argument("--out", "-o", type=Path, metavar="FOLDER", help="for results, fields and scores")
    group.add_argument(
        "--pairs", default="registration_val", metavar="LIST", help="which of its lists (default: registration_val)"
    )
    group.add_argument("--no-masks", action="store_true", help="do not tell the registration of the masks")
    group.add_argument(
        "--peer",
        action="append",
        type=_peer,
        default=[],
        metavar="NAME=FOLDER",
        help="score another method's disp_XXXX_YYYY.nii.gz beside ours; may be given often",
    )
    add_workers(parser)
    add_settings(parser)


def run_data_set(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    """Register, score, write."""
    if arguments.out is None:
        raise DsirError("--learn2reg needs --out FOLDER for its results.")
    for name, folder in arguments.peer:
        if not folder.is_dir():
            raise DsirError(f"The folder {folder} of the peer {name} does not exist.")
    settings = settings_from(arguments)
    progress("reading", 0.0, "loading the engine")
    from ..evaluation.board import screen_lines, write_scores
    from ..evaluation.leaderboard import OURS, evaluate_data_set
    from ..evaluation.learn2reg import read_data_set

    data_set = read_data_set(arguments.learn2reg, pairs=arguments.pairs, masks=not arguments.no_masks)
    scores = evaluate_data_set(
        data_set,
        arguments.out,
        settings,
        peers=dict(arguments.peer),
        workers=arguments.workers,
        scheduler=arguments.scheduler,
        progress=progress,
    )
    write_scores(arguments.out, data_set, scores)
    failed = [score.pair for score in scores if score.method == OURS and score.error]
    if failed:
        raise DsirError(f"{len(failed)} pairs have no result: {', '.join(failed)}; see {arguments.out / 'scores.md'}.")
    return Outcome(arguments.out.resolve(), screen_lines(data_set, scores), {"scores": str(arguments.out)})


def _peer(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER")
    return name, Path(folder)

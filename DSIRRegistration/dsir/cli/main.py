"""From the command line to a command, and to its exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..dicom.picks import picking
from ..errors import DsirError
from ..files.inputs import sparing
from . import (
    apply,
    batch,
    commission,
    compare,
    confidence,
    demo,
    describe,
    evaluate,
    export,
    features,
    figure,
    inspect,
    plan,
    propagate,
    query,
    register,
    settings,
    train,
    view,
)
from .command import Command, spoken
from .faults import YOUR_TURN, fault_of, os_sentence
from .parser import Formatter, Parser
from .screen import failed, screen
from .signals import stoppable
from .streams import keep_streams_open

COMMANDS: tuple[Command, ...] = (
    register.COMMAND,
    batch.COMMAND,
    settings.PRESETS,
    settings.COMMAND,
    apply.COMMAND,
    propagate.COMMAND,
    export.COMMAND,
    plan.COMMAND,
    inspect.COMMAND,
    features.COMMAND,
    describe.COMMAND,
    query.COMMAND,
    confidence.COMMAND,
    figure.COMMAND,
    view.COMMAND,
    compare.COMMAND,
    evaluate.COMMAND,
    commission.COMMAND,
    train.COMMAND,
    demo.COMMAND,
)

SCANS = ("register", "apply", "propagate", "features", "describe", "query", "confidence", "figure", "plan")
"""Commands that read scans and take ``--series``."""

DESCRIPTION = """\
Multimodal deformable registration with deep structural image representations.

Finds where each point of a fixed scan lies in a moving scan, whatever their modalities (CT, MR, ...), and brings
images, labels, points and surfaces across. Positions are RAS millimetres. For research; not a medical device."""


def build_parser() -> Parser:
    """The parser of the whole command."""
    parser = Parser(prog="dsir", description=DESCRIPTION, formatter_class=Formatter)
    parser.add_argument("--version", action="version", version=f"dsir {__version__}")
    words = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        word = words.add_parser(
            command.name,
            usage=" ".join(f"dsir {command.name} {command.usage} [options]".split()),
            help=command.summary,
            description=command.description,
            epilog=f"example:\n  {command.example}",
            formatter_class=Formatter,
        )
        command.arguments(word)
        if command.name in SCANS:
            word.add_argument(
                "--series",
                action="append",
                default=[],
                metavar="PICK",
                help="where a DICOM folder holds several volumes: number (dsir inspect), UID or part of the "
                "description; as FOLDER=PICK for the folder of that name",
            )
        talk = word.add_argument_group("what is said")
        talk.add_argument("-q", "--quiet", action="store_true", help="say the answer only, and what goes wrong")
        talk.add_argument(
            "--json-progress", action="store_true", help="one JSON object a line on standard output, for programs"
        )
        word.set_defaults(command=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code and never shows a traceback."""
    stopped, words = Command.stopped, sys.argv[1:] if argv is None else argv
    keep_streams_open()
    try:
        with stoppable() as signals:
            arguments = _parsed(words)
            arguments.command_line = spoken(words)
            stopped = arguments.command.stopped
            if not sys.warnoptions:
                warnings.simplefilter("ignore")  # other people's deprecations are not this user's business
                logging.getLogger("matplotlib").setLevel(logging.ERROR)  # nor where it keeps its fonts
            with (
                picking(getattr(arguments, "series", ())),
                sparing(_inputs(arguments)),
                screen(quiet=arguments.quiet, json_progress=arguments.json_progress) as shown,
            ):
                outcome = arguments.command.run(arguments, signals.watched(shown))
            try:
                shown.outcome(outcome)
            except OSError as error:
                lost = f"The work is done, but what there is to say cannot be printed: {os_sentence(error)}"
                return _say(f"{lost} Result in {outcome.path}." if outcome.path else lost, YOUR_TURN)
            return outcome.status
    except (Exception, KeyboardInterrupt) as error:
        fault = fault_of(error, stopped)
        if "--json-progress" in words:
            failed(fault.code, fault.sentence)
        return _say(fault.sentence, fault.status)


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """The arguments; what a command does not know is said with the place where its own are explained."""
    odd = next((word for word in words if any("\udc80" <= letter <= "\udcff" for letter in word)), "")
    if odd:  # ITK ends the whole process over it
        raise DsirError(f"The name {odd!a} is not UTF-8; rename the file or folder.")
    arguments, unknown = build_parser().parse_known_args(words)
    if unknown:
        raise DsirError(f"Unrecognized arguments: {' '.join(unknown)}; see dsir {arguments.command.name} --help.")
    return arguments


OUTPUTS = ("out", "report", "transform_out", "dose_out", "dicom_reg", "heat_map")
"""Options that name what is written; every other path is read."""


def _inputs(arguments: argparse.Namespace) -> list[Path]:
    """Files and folders that the command reads."""
    given = [value for name, value in vars(arguments).items() if name not in OUTPUTS]
    return [
        path for value in given for path in (value if isinstance(value, list) else [value]) if isinstance(path, Path)
    ]


def _say(sentence: str, code: int) -> int:
    try:
        print(f"dsir: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the reader is gone; keep the interpreter's exit quiet
    return code

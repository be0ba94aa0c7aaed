"""From the command line to a command, and from what went wrong to one sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from .. import __version__
from ..dicom.picks import picking
from ..errors import Cancelled, DsirError
from ..files.inputs import sparing
from ..files.output_folder import where_kept
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

OUR_FAULT, YOUR_TURN, STOPPED = 1, 2, 130
"""Exit codes beside the command's own (0, mostly): a fault of ours; what the user can mend; stopped by the user."""

DESCRIPTION = """\
Multimodal deformable registration with deep structural image representations.

Finds where each point of a fixed scan lies in a moving scan, whatever their modalities (CT, MR, ...), and brings
images, labels, points and surfaces across. Positions are RAS millimetres. For research; not a medical device."""


NEGATIVE = re.compile(r"-(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")
"""A negative number as people and programs write it."""


def _path(text: str) -> Path:
    """A path; an empty word, as a variable that is not set leaves it, would be the folder one stands in. The home
    folder's sign is told here too: no shell does it within ``--out=~/result``."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a file or folder (is a variable not set?)")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"nobody knows whose home folder {text} is") from None


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence, and to whom -1e-5 is a number."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = NEGATIVE  # argparse's own takes -1e-5 and -1. for options
        self.register("type", Path, _path)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise DsirError(f"{message[:1].upper()}{message[1:].rstrip('.')}; see {self.prog} --help.")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help with room for explanations."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)

    def add_argument(self, action: argparse.Action) -> None:
        """Keep the names of the commands in one column: argparse measures them without their indent."""
        super().add_argument(action)
        self._action_max_length = max(self._action_max_length, 16)


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
    stopped = Command.stopped
    keep_streams_open()
    try:
        with stoppable() as signals:
            arguments = _parsed(argv)
            arguments.command_line = spoken(sys.argv[1:] if argv is None else argv)
            stopped = arguments.command.stopped
            if not sys.warnoptions:
                warnings.simplefilter("ignore")  # other people's deprecations are not this user's business
            with (
                picking(getattr(arguments, "series", ())),
                sparing(_inputs(arguments)),
                screen(quiet=arguments.quiet, json_progress=arguments.json_progress) as shown,
            ):
                outcome = arguments.command.run(arguments, signals.watched(shown))
            try:
                shown.outcome(outcome)
            except OSError as error:
                lost = f"The work is done, but what there is to say cannot be printed: {_os_sentence(error)}"
                return _say(f"{lost} Result in {outcome.path}." if outcome.path else lost, YOUR_TURN)
            return outcome.status
    except (Exception, KeyboardInterrupt) as error:
        fault = _fault(error, stopped)
        if "--json-progress" in (sys.argv[1:] if argv is None else argv):
            failed(fault.code, fault.sentence)
        return _say(fault.sentence, fault.status)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; what a command does not know is said with the place where its own are explained."""
    arguments, unknown = build_parser().parse_known_args(argv)
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


LESS_MEMORY = "Use --preset fast, --device cpu, or resample the images to larger voxels."


class Fault(NamedTuple):
    """What stopped a run: a code for programs, a sentence for people, the exit code."""

    code: str
    sentence: str
    status: int


def _fault(error: BaseException, stopped: str) -> Fault:
    kept = where_kept(error)
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return Fault("stopped", stopped, STOPPED)
    if isinstance(error, DsirError):
        return Fault(error.code, f"{error} {kept}", YOUR_TURN)
    if isinstance(error, MemoryError):
        return Fault("out_of_memory", f"There is not enough memory for this run. {LESS_MEMORY} {kept}", YOUR_TURN)
    if isinstance(error, OSError):
        return Fault("system", _os_sentence(error), YOUR_TURN)
    if _is_out_of_memory(error):
        said = f"The device has not enough memory for this run. {LESS_MEMORY} {kept}"
        return Fault("out_of_memory", said, YOUR_TURN)
    said = (
        f"Something broke inside dsir ({type(error).__name__}). {kept or 'Nothing was written.'} "
        f"The details are in {_write_traceback()}; please send them to the developers."
    )
    return Fault("internal", said, OUR_FAULT)


def _say(sentence: str, code: int) -> int:
    try:
        print(f"dsir: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the reader is gone; keep the interpreter's exit quiet
    return code


def _os_sentence(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{reason}: {error.filename}." if error.filename else f"{reason}."


def _is_out_of_memory(error: BaseException) -> bool:
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _write_traceback() -> Path:
    path = Path(tempfile.gettempdir()) / f"dsir-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        path.write_text(f"dsir {__version__}, Python {sys.version}\n\n{traceback.format_exc()}", encoding="utf-8")
    except OSError:
        traceback.print_exc()
    return path

"""``dsir view``: click, steer and register in the browser."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from ..errors import Cancelled, DsirError
from ..progress import Progress
from .command import Command, Outcome
from .options import IMAGE_KINDS, TRANSFORM_KINDS
from .values import count

MODULE_FOLDER = Path(__file__).resolve().parents[2]
"""The folder that holds the viewer's package beside the engine's."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fixed", type=Path, metavar="FIXED", help=f"the scan that stays ({IMAGE_KINDS})")
    parser.add_argument("moving", type=Path, metavar="MOVING", help="the other scan (same kinds)")
    parser.add_argument(
        "--transform", "-t", type=Path, metavar="FILE", help=f"fixed to moving, to be looked at ({TRANSFORM_KINDS})"
    )
    parser.add_argument(
        "--out", "-o", type=Path, default=Path("dsir-view"), metavar="FOLDER", help="for Save (default: dsir-view)"
    )
    parser.add_argument("--descriptor", default="dsir", metavar="NAME", help="dsir (default), mind or cnn (untrained)")
    parser.add_argument("--port", type=count, default=0, metavar="N", help="of this machine (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    for path in filter(None, (arguments.fixed, arguments.moving, arguments.transform)):
        if not path.exists():
            raise DsirError(f"{path} does not exist.")
    words = [str(arguments.fixed), str(arguments.moving), "--out", str(arguments.out)]
    words += ["--descriptor", arguments.descriptor, "--port", str(arguments.port)]
    if arguments.transform:
        words += ["--transform", str(arguments.transform)]
    if arguments.no_browser:
        words.append("--no-browser")
    program = f"import runpy, sys; sys.path.insert(0, {str(MODULE_FOLDER)!r}); "
    program += "runpy.run_module('DSIRRegistrationLib.viewer', run_name='__main__')"
    child = subprocess.Popen([sys.executable, "-c", program, *words])
    try:
        code = child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    if code:
        raise Cancelled("The viewer has ended.") if code < 0 else DsirError("The viewer could not be shown.")
    return Outcome(None, ("The viewer has ended.",))


COMMAND = Command(
    name="view",
    summary="click, steer and register in the browser, on Slicer's own views",
    description="""\
Show two scans side by side in the browser: click a voxel and see where it lies in the other scan, accept matches,
register from them, compare before and after, save. The page is served to this machine alone and needs no network.""",
    usage="FIXED MOVING",
    example="dsir view ct.nii.gz mr.nii.gz --transform result/transform.h5",
    arguments=_arguments,
    run=_run,
    stopped="The viewer has ended.",
)

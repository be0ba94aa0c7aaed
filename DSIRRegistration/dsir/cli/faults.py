"""From what went wrong to one sentence, a code and an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..errors import Cancelled, DsirError
from ..files.output_folder import where_kept

OUR_FAULT, YOUR_TURN, STOPPED = 1, 2, 130
"""Exit codes beside the command's own (0, mostly): a fault of ours; what the user can mend; stopped by the user."""

LESS_MEMORY = "Use --preset fast, --device cpu, or resample the images to larger voxels."


class Fault(NamedTuple):
    """What stopped a run: a code for programs, a sentence for people, the exit code."""

    code: str
    sentence: str
    status: int


def fault_of(error: BaseException, stopped: str) -> Fault:
    """What to say of an error; ``stopped`` is what the command says after Ctrl-C."""
    kept = where_kept(error)
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return Fault("stopped", stopped, STOPPED)
    if isinstance(error, DsirError):
        return Fault(error.code, f"{error} {kept}", YOUR_TURN)
    if isinstance(error, MemoryError):
        return Fault("out_of_memory", f"There is not enough memory for this run. {LESS_MEMORY} {kept}", YOUR_TURN)
    if isinstance(error, OSError):
        return Fault("system", os_sentence(error), YOUR_TURN)
    if _is_out_of_memory(error):
        said = f"The device has not enough memory for this run. {LESS_MEMORY} {kept}"
        return Fault("out_of_memory", said, YOUR_TURN)
    said = (
        f"Something broke inside dsir ({type(error).__name__}). {kept or 'Nothing was written.'} "
        f"The details are in {_write_traceback()}; please send them to the developers."
    )
    return Fault("internal", said, OUR_FAULT)


def os_sentence(error: OSError) -> str:
    """The system's complaint in a sentence."""
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

"""What a worker does with one pair."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from ..errors import Cancelled, DsirError
from ..files.output_folder import where_kept
from ..registration.settings import RegistrationSettings
from ..workflow.pair import Pair, register_pair


def register_one(pair: Pair, settings: RegistrationSettings, folder: Path) -> str:
    """Register into ``folder``, whatever an earlier run left there.

    Returns:
        the empty string, or the sentence that says why there is no result. Nothing is raised: an error that travelled
        would have to be understood by the process at the other end.
    """
    return told(lambda: register_pair(pair, settings, folder, overwrite=True), folder)


def told(work: Callable[[], object], folder: Path) -> str:
    """Do it; the empty string, or what went wrong as a sentence. Details of a fault of ours go beside ``folder``."""
    log = log_of(folder)
    try:
        work()
    except Cancelled:
        raise
    except DsirError as error:
        return f"{error} {where_kept(error)}".strip()
    except MemoryError:
        return "There was not enough memory for this case."
    except Exception as error:
        log.write_text(traceback.format_exc(), encoding="utf-8")
        broke = f"Something broke inside dsir ({type(error).__name__}); the details are in {log.name}."
        return f"{broke} {where_kept(error)}".strip()
    log.unlink(missing_ok=True)
    return ""


def log_of(folder: Path) -> Path:
    """Where the details of a fault of ours go, beside the case's folder."""
    return folder.parent / f"{folder.name}.log"

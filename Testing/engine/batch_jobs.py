"""Stand-ins for a registration, which the workers of the batch tests import."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from dsir.registration.settings import RegistrationSettings
from dsir.workflow.pair import Pair


def poison(pair: Pair, settings: RegistrationSettings, folder: Path) -> str:
    """Kills its worker for the pair called poison, as a scan that needs all the memory does."""
    if folder.name == "poison":
        time.sleep(0.3)  # let the others queue up behind it
        os.kill(os.getpid(), 9)
    return quick(pair, settings, folder)


def quick(pair: Pair, settings: RegistrationSettings, folder: Path) -> str:
    """Says when it worked."""
    began = time.time()
    time.sleep(0.05)
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps({"began": began, "ended": time.time()}))
    return ""

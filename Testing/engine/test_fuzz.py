"""A few spoiled files for every reader; ``python -m Testing.fuzz`` spoils 2,000 for each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="limits of memory are POSIX's"), pytest.mark.slow]


def test_every_reader_gives_a_result_or_one_sentence():
    command = [sys.executable, "-m", "Testing.fuzz.worker", "all", "--first", "0", "--last", "12"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines[-1:], done.stderr[-500:])
    outcomes = [line.partition(" ")[2] for line in lines if not line.endswith(" start") and line != "ready"]
    assert len(outcomes) == 12 * lines.count("ready") and lines.count("ready") >= 24
    assert [o for o in outcomes if not o.startswith(("result", "refused"))] == []
    assert sum(o.startswith("refused") for o in outcomes) > 0.4 * len(outcomes)  # they are spoiled indeed

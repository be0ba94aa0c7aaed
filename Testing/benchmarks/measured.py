"""Run a command and write what it used: ``python measured.py FACTS.json COMMAND...``; exits as the command does.

A small process of its own, because a child's peak memory counts from what its parent held when it forked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main() -> int:
    """Seconds (children included) and MiB of the largest process."""
    facts, *command = sys.argv[1:]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    figures = {
        "wall": time.perf_counter() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024),
    }
    with open(facts, "w", encoding="utf-8") as file:
        json.dump(figures, file)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


if __name__ == "__main__":
    sys.exit(main())

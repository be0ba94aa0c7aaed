"""``python -m Testing.fuzz``: spoil files for every reader and count what comes of them; exit 1 for a fault."""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .readers import COMPARED, READERS

HANG = 20.0
"""Seconds that a reader may take for one file."""

START = 120.0
"""Seconds that a worker may take to be ready."""

GOOD = ("result", "refused")


@dataclass
class Tally:
    """What came of a reader's files."""

    counts: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, number: int, outcome: str) -> None:
        """Count one."""
        kind, _, words = outcome.partition(" ")
        self.counts[kind] += 1
        if kind not in GOOD:
            self.faults.append(f"{number}: {kind} {words}")


def fuzz(name: str, count: int, keep: Path | None = None) -> Tally:
    """Read ``count`` spoiled files by one reader; a worker that dies or hangs is counted and followed by another."""
    tally, first, began = Tally(), 0, time.perf_counter()
    while first < count:
        first = _one_worker(name, first, count, tally, keep)
    tally.seconds = time.perf_counter() - began
    return tally


def _one_worker(name: str, first: int, last: int, tally: Tally, keep: Path | None) -> int:
    """Run a worker as far as it comes; the number to go on with."""
    command = [sys.executable, "-m", "Testing.fuzz.worker", name, "--first", str(first), "--last", str(last)]
    command += ["--keep", str(keep)] if keep else []
    lines: queue.Queue[str | None] = queue.Queue()
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")

    def read() -> None:
        for line in worker.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    said: list[str] = []
    threading.Thread(target=lambda: said.extend(worker.stderr), daemon=True).start()
    at, open_, ready = first, False, False
    try:
        while True:
            line = lines.get(timeout=HANG if ready else START)
            if line is None:
                code = worker.wait()
                if not ready:
                    raise SystemExit(f"{name}: the worker did not start: {' '.join(said[-3:])}")
                if open_:
                    tally.add(at, f"crash exit code {code}")
                    return at + 1
                return last
            ready = True
            if line.startswith("ready"):
                continue
            number, _, outcome = line.strip().partition(" ")
            at, open_ = int(number), outcome == "start"
            if not open_:
                tally.add(at, outcome)
    except queue.Empty:
        tally.add(at, f"hang longer than {HANG:g} s")
        return at + 1
    finally:
        worker.kill()
        worker.wait()


def main() -> int:
    """The table on standard output."""
    parser = argparse.ArgumentParser(prog="python -m Testing.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="spoiled files a reader (default: 2000)")
    parser.add_argument("--reader", action="append", help="only this one (repeatable); also the compared libraries'")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="at the same time")
    parser.add_argument("--keep", type=Path, help="a folder for the files that are faults")
    parser.add_argument("--list", action="store_true", help="name the readers")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join((*READERS, *COMPARED)))
        return 0
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    names = arguments.reader or list(READERS)
    with ThreadPoolExecutor(arguments.processes) as pool:
        found = dict(zip(names, pool.map(lambda name: fuzz(name, arguments.count, arguments.keep), names), strict=True))
    print(f"{'reader':<26}{'result':>8}{'refused':>9}{'fault':>7}{'long':>6}{'hang':>6}{'crash':>7}{'s':>7}")
    for name, tally in found.items():
        row = [tally.counts[kind] for kind in ("result", "refused", "fault", "long", "hang", "crash")]
        print(f"{name:<26}{row[0]:>8}{row[1]:>9}{row[2]:>7}{row[3]:>6}{row[4]:>6}{row[5]:>7}{tally.seconds:>7.0f}")
    for name, tally in found.items():
        for fault in tally.faults[:20]:
            print(f"{name} {fault}")
    bad = sum(sum(tally.counts.values()) - sum(tally.counts[kind] for kind in GOOD) for tally in found.values())
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""How many CPU threads are worth having: as many as there are processors that nobody else keeps busy.

OpenMP's threads wait for one another many thousand times in a registration, spinning. Where other programs hold a
processor, each wait lasts until the system lets the last thread run: two threads beside two busy programs on two
processors took 54 to 92 s where one takes 12 to 19 (measured). One thread more than there are free processors is never
worth it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

LOOK = 0.1
"""Seconds for which the processors are watched."""

TIMES = Path("/proc/stat")


def available() -> int:
    """Processors that this program may use at all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_most(threads: int) -> int:
    """So many threads as were asked for, but none without a processor: thousands on two of them take hours."""
    return min(threads, available())


def sensible_threads() -> int:
    """Processors that are free now, one at the least.

    On Linux they are watched for a moment in which this program sleeps, so that it does not count itself; elsewhere
    the load of the last minute is asked, where the system tells it.
    """
    count = available()
    busy = _watched()
    if busy is None:
        busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, min(count, round(count - busy)))


def _watched() -> float | None:
    """Processors kept busy by others; None where the system does not say."""
    try:
        before = _jiffies()
        time.sleep(LOOK)
        after = _jiffies()
    except (OSError, ValueError, IndexError):
        return None
    total, idle = after[0] - before[0], after[1] - before[1]
    return (os.cpu_count() or 1) * (1 - idle / total) if total > 0 else None


def _jiffies() -> tuple[int, int]:
    """Time of all processors since the start, and how much of it they were idle (or waited for a disk)."""
    fields = [int(word) for word in TIMES.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return sum(fields), fields[3] + fields[4]

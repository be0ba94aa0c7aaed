"""How many CPU threads are worth having: as many as there are processors that nobody else keeps busy.

OpenMP's threads wait for one another many thousand times in a registration, spinning. Where other programs hold a
processor, each wait lasts until the system lets the last thread run: two threads beside two busy programs on two
processors took 54 to 92 s where one takes 12 to 19, and beside ten more than 540 s where one takes 66 (measured). One
thread more than there are free processors is never worth it, and who begins alone may get company.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

LOOK = 0.1
"""Seconds for which the processors are watched."""

EVERY = 1.0
"""Seconds between two looks of a program that works."""

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
    busy = _watched()
    if busy is None:
        busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return left_by(busy)


def left_by(busy: float) -> int:
    """Processors that are free while others keep so many of them busy, one at the least."""
    count = available()
    return max(1, min(count, round(count - busy)))


class LoadWatch:
    """Measures how many processors other programs keep busy, while this program works."""

    def __init__(self) -> None:
        """Begin to watch."""
        self.seen = _seen()

    def busy(self) -> float | None:
        """Processors kept busy by others since the last answer; None within a second, and where nothing is told."""
        if self.seen is None or time.monotonic() - self.seen.at < EVERY:
            return None
        before, self.seen = self.seen, _seen()
        if self.seen is None:
            return None
        own = (self.seen.own - before.own) / (self.seen.at - before.at)
        return max(0.0, _share_busy(before, self.seen) - own)


@dataclass(frozen=True)
class _Seen:
    """Attributes: seconds of the clock and of this program; time of all processors and how much of it they idled."""

    at: float
    own: float
    total: int
    idle: int


def _watched() -> float | None:
    """Processors kept busy by others; None where the system does not say."""
    before = _seen()
    time.sleep(LOOK)
    after = _seen()
    return _share_busy(before, after) if before and after and after.total > before.total else None


def _share_busy(before: _Seen, after: _Seen) -> float:
    """Processors kept busy by anybody, ourselves included."""
    return (os.cpu_count() or 1) * (1 - (after.idle - before.idle) / max(after.total - before.total, 1))


def _seen() -> _Seen | None:
    """The clocks now, since the start (time spent waiting for a disk is idle); None where the system does not say."""
    try:
        fields = [int(word) for word in TIMES.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
        return _Seen(time.monotonic(), time.process_time(), sum(fields), fields[3] + fields[4])
    except (OSError, ValueError, IndexError):
        return None

"""Ctrl-C, a polite kill and a closed terminal stop a run at any stage."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import Cancelled
from ..progress import Progress

GRACE = 3.0
"""Seconds in which a second, impatient signal is ignored, so that it cannot interrupt the clearing away."""


class Signals:
    """Whether a stop was asked for."""

    def __init__(self) -> None:
        self.received = 0.0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Unwind the work from wherever it is."""
        now = time.monotonic()
        if self.received and now - self.received < GRACE:
            return
        self.received = now
        raise KeyboardInterrupt

    def watched(self, progress: Progress) -> Progress:
        """``progress`` that also stops the run where the interrupt was swallowed by somebody else's code."""

        def inner(stage: str, fraction: float, message: str) -> None:
            if self.received:
                raise Cancelled("The run was stopped.")
            progress(stage, fraction, message)

        return inner


@contextmanager
def stoppable() -> Iterator[Signals]:
    """SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is closed) unwind what runs inside.

    A run under ``nohup`` does not hear of the terminal, and goes on.
    """
    signals = Signals()
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.signal(number, signals.handle) for number in numbers}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""One way to say how far a run is, and one way to stop it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float, str], None]
"""Called as ``progress(stage, fraction, message)``; ``fraction`` is that of the whole run, 0 to 1.

To cancel, the callback raises :class:`dsir.errors.Cancelled`: the exception unwinds the engine, which holds no files
open and has written nothing yet.
"""


def silent(stage: str, fraction: float, message: str) -> None:
    """Progress that nobody watches."""


def within(progress: Progress, start: float, end: float) -> Progress:
    """Squeeze a part's own fractions 0..1 into ``start``..``end`` of the whole run."""

    def inner(stage: str, fraction: float, message: str) -> None:
        progress(stage, start + (end - start) * min(max(fraction, 0.0), 1.0), message)

    return inner

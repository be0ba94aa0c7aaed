"""Which volumes the user picked for this run, for whoever reads a folder of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_PICKS: ContextVar[tuple[str, ...]] = ContextVar("picks", default=())


@contextmanager
def picking(picks: Sequence[str]) -> Iterator[None]:
    """Within this, folders of several volumes are decided by ``picks`` (:func:`dsir.dicom.choice.chosen`)."""
    token = _PICKS.set(tuple(picks))
    try:
        yield
    finally:
        _PICKS.reset(token)


def picked() -> tuple[str, ...]:
    """What was picked, if anything."""
    return _PICKS.get()

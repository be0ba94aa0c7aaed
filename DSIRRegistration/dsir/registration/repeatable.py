"""The same settings give the same result, and no more threads than there are processors for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..processors import LoadWatch, at_most, left_by, sensible_threads
from ..progress import Progress
from .settings import RegistrationSettings


@contextmanager
def repeatable(settings: RegistrationSettings, progress: Progress) -> Iterator[Progress]:
    """Seed and threads as asked, and as they were afterwards.

    With threads 0 there are as many as there are idle processors. Others may come and go while a registration runs, so
    the progress that is handed back looks again whenever a step is told.
    """
    threads = torch.get_num_threads()
    state = torch.get_rng_state()
    torch.manual_seed(settings.seed)
    torch.set_num_threads(at_most(settings.threads) if settings.threads else min(threads, sensible_threads()))
    try:
        yield progress if settings.threads else _making_room(progress, threads)
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)


def _making_room(progress: Progress, most: int) -> Progress:
    """The same progress; at each step, about once a second, the number of threads follows what others leave free."""
    lookout = LoadWatch()

    def tell(stage: str, fraction: float, message: str) -> None:
        busy = lookout.busy()
        if busy is not None:
            torch.set_num_threads(min(most, left_by(busy)))
        progress(stage, fraction, message)

    return tell

"""The same settings give the same result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..processors import at_most, sensible_threads
from .settings import RegistrationSettings


@contextmanager
def repeatable(settings: RegistrationSettings) -> Iterator[None]:
    """Seed and threads as asked, and as they were afterwards; threads 0: as many as there are idle processors."""
    threads = torch.get_num_threads()
    state = torch.get_rng_state()
    torch.manual_seed(settings.seed)
    torch.set_num_threads(at_most(settings.threads) if settings.threads else min(threads, sensible_threads()))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)

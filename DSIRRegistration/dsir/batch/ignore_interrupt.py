"""Loaded into each local worker: a terminal sends Ctrl-C to everybody, but who started the workers ends them."""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:
    """Called by Dask, in the main thread of the worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

"""Workers: a local cluster of processes, or whatever stands behind a scheduler's address. All of it is Dask's."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..errors import DsirError
from ..processors import sensible_threads

if TYPE_CHECKING:
    from distributed import Client

ROOM = 4 * 1024**3
"""Bytes a worker is thought to need when their number is left to us."""

DEATHS = 1
"""How many workers a pair may take with it on the local cluster before it is set apart."""

RESTART = "10 minutes"
"""How long a killed worker may take to come back on a busy machine; Dask would give it up after 15 s."""

PATIENCE = 30
"""Seconds to wait for a scheduler to answer."""


@contextmanager
def local(workers: int, gpus: int) -> Iterator[Client]:
    """A cluster of processes on this machine; with GPUs, each worker sees one of them, and pairs take turns on it."""
    distributed = _distributed()
    import dask

    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": RESTART, **_quick_starts()}),
        tempfile.TemporaryDirectory(prefix="dsir-", ignore_cleanup_errors=True) as scratch,
        _whole(
            distributed.SpecCluster,
            scheduler={
                "cls": distributed.Scheduler,
                "options": {
                    "host": "127.0.0.1",
                    "dashboard": False,
                    "dashboard_address": "127.0.0.1:0",
                    "allowed_failures": DEATHS,
                },
            },
            workers={
                number: {"cls": distributed.Nanny, "options": {**options, "local_directory": scratch}}
                for number, options in enumerate(worker_options(workers, gpus))
            },
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def _whole(cluster: Any, **options: Any) -> Any:
    """A cluster that has started, also where somebody stops the run meanwhile: half of one could not be closed."""
    with ThreadPoolExecutor(1) as starter:
        starting = starter.submit(cluster, **options)
        try:
            return starting.result()
        except KeyboardInterrupt:
            with suppress(Exception):  # it could not start
                starting.result().close()
            raise


def _quick_starts() -> dict[str, str]:
    """On Linux, fork workers from a process that has imported everything once, as Python itself does from 3.14 on.

    A worker started from nothing takes six seconds of a processor to import torch and the rest.
    """
    if sys.platform != "linux":
        return {}
    from multiprocessing import resource_tracker
    from multiprocessing.forkserver import ensure_running

    multiprocessing.get_context("forkserver").set_forkserver_preload(["distributed", "dsir.workflow.pair"])
    resource_tracker.ensure_running()  # which would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is heard by us, not while they import
    ensure_running()  # before Dask names what it would import
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return {"distributed.worker.multiprocessing-method": "forkserver"}


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """The workers behind a scheduler: SLURM's, Kubernetes', or ``dask worker`` on some machines.

    Raises:
        DsirError: nobody answers at the address.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TimeoutError):
        raise DsirError(f"No Dask scheduler answers at {address}.") from None
    with client:
        yield client


def worker_options(workers: int, gpus: int) -> list[dict[str, Any]]:
    """One pair at a time on each worker; with GPUs, as many workers as GPUs at most, since one pair fills one."""
    options = {
        "host": "127.0.0.1",
        "nthreads": 1,
        "memory_limit": 0,  # a scan takes what it takes; Dask would kill a worker that uses more than its share
        "dashboard": False,
        "preload": [f"{__package__}.ignore_interrupt"],
        "silence_logs": logging.CRITICAL,
    }
    if not gpus:
        return [options] * workers
    return [
        {**options, "resources": {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": gpu}}
        for gpu in _visible(gpus)[: min(workers, gpus)]
    ]


def sensible_workers(pairs: int, gpus: int) -> int:
    """How many workers to start when nobody says: a GPU each, or two cores and 4 GiB each."""
    if gpus:
        return min(pairs, gpus)
    _distributed()
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return max(1, min(pairs, CPU_COUNT // 2, int(MEMORY_LIMIT // ROOM)))


def threads_each(workers: int) -> int:
    """CPU threads of each of so many workers on this machine: a share of the processors that nobody else keeps busy.

    One worker alone gets 0, so that each registration takes what is free then, and makes room while it runs. (Where
    workers are not forked, Dask would hold it to one thread.)
    """
    if workers == 1 and sys.platform == "linux":
        return 0
    from dask.system import CPU_COUNT

    return max(1, min(CPU_COUNT, sensible_threads()) // workers)


def offers_gpu(client: Client) -> bool | None:
    """Whether a worker declares the resource ``GPU``; None while there are no workers."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any("GPU" in worker["resources"] for worker in workers) if workers else None


def _visible(gpus: int) -> list[str]:
    """The names of the GPUs we may use ourselves."""
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named or [str(number) for number in range(gpus)]


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise DsirError('Many pairs need Dask: pip install "dask[distributed]" filelock.') from None
    return distributed

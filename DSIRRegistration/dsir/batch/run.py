"""The batch itself: what is to be done, by whom, and what came of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DsirError
from ..files.output_folder import remove_unfinished
from ..progress import Progress, silent, within
from ..registration.settings import RegistrationSettings
from ..reports.batch.rows import Row, State
from . import cluster
from .case_kind import PAIRS, Kind
from .live_table import LiveTable
from .pairs import check_name

if TYPE_CHECKING:
    from distributed import Client, Future

LOCK = ".dsir-batch.lock"


def run_batch(
    cases: Mapping[str, Any],
    out: str | Path,
    settings: RegistrationSettings | None = None,
    *,
    kind: Kind = PAIRS,
    workers: int = 0,
    scheduler: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Do each case into ``out/NAME``; ``out/results.csv`` and ``out/results.html`` grow while it runs.

    A case whose result is there, made from the same files with the same settings, is kept. A case that cannot be
    done, or whose workers die, is a row that says so. After a kill the table says what was done until then.

    Args:
        cases: name to what is to be done: a :class:`dsir.workflow.pair.Pair`, or what ``kind`` takes.
        kind: what the cases are.
        workers: processes on this machine; 0 for a number that fits it.
        scheduler: address of a Dask scheduler, whose workers are used instead; they must see the same files.
        progress: told of each case as it ends, under its name.

    Returns:
        one row for each case, in their order.

    Raises:
        DsirError: a name cannot be a folder's, the folder cannot be written or another batch works in it, Dask is
            missing, or no scheduler answers.
    """
    settings = settings or RegistrationSettings()
    out = Path(os.path.abspath(out))
    seen: dict[str, Any] = {}
    for name, case in cases.items():
        check_name(name, seen)
        seen[name] = case
    with _alone_in(out):
        _sweep(out, cases)
        rows = {}
        for number, (name, case) in enumerate(cases.items()):
            progress("checking", 0.02 * number / len(cases), "looking for what is done already")
            kept = kind.finished(out / name, case, settings)
            rows[name] = kind.row(name, State.KEPT if kept else State.LEFT, out / name, "")
        todo = {name: case for name, case in cases.items() if rows[name].state is State.LEFT}
        table = LiveTable(out)
        table.write(list(rows.values()))
        try:
            if todo:
                ended = _work(todo, out, settings, kind, workers, scheduler, within(progress, 0.02, 0.99))
                for name, said in ended:
                    rows[name] = kind.row(name, State.FAILED if said else State.DONE, out / name, said)
                    table.write(list(rows.values()))
        finally:
            _sweep(out, cases)
            table.write(list(rows.values()), last=True)
    progress("done", 1.0, f"{len(rows)} {kind.plural}")
    return list(rows.values())


def _work(
    todo: Mapping[str, Any],
    out: Path,
    settings: RegistrationSettings,
    kind: Kind,
    workers: int,
    scheduler: str | None,
    progress: Progress,
) -> Iterator[tuple[str, str]]:
    """Yield each case's name and what went wrong with it (nothing, mostly) as it ends."""
    gpus = 0 if scheduler else _gpus(settings.device)
    workers = workers or cluster.sensible_workers(len(todo), gpus)
    progress("workers", 0.0, f"starting {workers}" if not scheduler else f"connecting to {scheduler}")
    with cluster.connected(scheduler) if scheduler else cluster.local(workers, gpus) as client:
        if not scheduler and not settings.threads:
            settings = replace(settings, threads=cluster.threads_each(workers))
        turns = _turns(client, settings.device)
        clock = _Clock(len(todo), progress)
        from distributed import as_completed

        suspects: list[str] = []

        def submit(name: str) -> Future:
            return client.submit(
                kind.job, todo[name], settings, out / name, key=f"{name}-{time.time_ns()}", pure=False, **turns
            )

        futures = {submit(name): name for name in todo}
        try:
            for future in as_completed(futures):
                name = futures.pop(future)
                said = _said(future)
                if said is None:
                    suspects.append(name)
                    continue
                yield name, said
                clock.tick(name, said)
            # Whoever was on a worker that died is suspected, also he who only waited there: each gets a try alone.
            for name in suspects:
                futures[future := submit(name)] = name
                said = _said(future)
                if said is None:
                    said = "Its worker died whenever it was tried; memory ran out, most likely."
                yield name, said
                clock.tick(name, said)
        finally:
            client.cancel(list(futures), force=True)


def _said(future: Future) -> str | None:
    """What the worker said; None where it died."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return None
    except (CancelledError, Exception) as error:
        return f"The worker could not do it ({type(error).__name__}: {error})."
    finally:
        future.release()  # else the pair would be done again if the worker that holds its answer died


def _gpus(device: str) -> int:
    import torch

    return torch.cuda.device_count() if device in ("auto", "cuda") and torch.cuda.is_available() else 0


def _turns(client: Client, device: str) -> dict[str, Any]:
    """What makes pairs take turns on a GPU: a worker lends out as many as it declares."""
    if device not in ("auto", "cuda"):
        return {}
    offered = cluster.offers_gpu(client)
    if device == "cuda" and offered is False:
        raise DsirError("No worker declares a GPU; start them with --resources GPU=1, or use --device cpu.")
    return {"resources": {"GPU": 1}} if offered or device == "cuda" else {}


class _Clock:
    """Tells how many are done and how long the rest will take."""

    def __init__(self, count: int, progress: Progress) -> None:
        self._count, self._done, self._failed = count, 0, 0
        self._progress, self._began = progress, time.monotonic()

    def tick(self, name: str, said: str) -> None:
        self._done += 1
        self._failed += bool(said)
        left = (time.monotonic() - self._began) / self._done * (self._count - self._done)
        failed = f", {self._failed} failed" if self._failed else ""
        rest = f", about {duration(left)} left" if self._done < self._count else ""
        how = "failed" if said else "done"
        self._progress(name, self._done / self._count, f"{how}; {self._done} of {self._count}{failed}{rest}")


def duration(seconds: float) -> str:
    """As a person says it: 40 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """The folder, made where it is missing, for this batch only."""
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        raise DsirError('Many pairs need Dask: pip install "dask[distributed]" filelock.') from None
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / LOCK, timeout=0):
            yield
    except Timeout:
        raise DsirError(f"Another batch works in {out} right now.") from None
    except OSError as error:
        raise DsirError(f"The folder {out} cannot be written: {error.strerror or error}.") from None


def _sweep(out: Path, cases: Mapping[str, Any]) -> None:
    """Remove what killed workers left half-written."""
    for name in cases:
        remove_unfinished(out / name)

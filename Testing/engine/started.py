"""``dsir`` in processes of its own that begin where importing has ended.

Starting it from nothing takes four seconds of a processor, nearly all of them torch's. Here one server imports
everything once and is forked for each run; from there on all is as ever: signals, streams, limits, an exit code.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from typing import IO

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["dsir.workflow.pair", "dsir.cli", "distributed"])


def nothing() -> None:
    """Nothing to do before the command runs."""


class Started:
    """A run: ``stdout`` to read line by line, and what ``subprocess.Popen`` offers beside it.

    Attributes:
        stdout, stderr: what it says, as text.
    """

    def __init__(self, process: BaseProcess, stdout: IO[str], stderr: IO[str]) -> None:
        self._process, self.stdout, self.stderr = process, stdout, stderr

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for its end, and kill it where that does not come; the rest of what it said."""
        late = threading.Timer(timeout, self._process.kill)
        late.start()
        said = self.stdout.read(), self.stderr.read()  # a pipe holds all that is ever said to the second
        self._process.join()
        late.cancel()
        return said

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it has ended."""
        return self._process.exitcode


@contextmanager
def started(words: Sequence[object], before: Callable[[], object] = nothing) -> Iterator[Started]:
    """``dsir`` with these words.

    Args:
        before: called in the new process first; a plain function, or a ``functools.partial`` of one.
    """
    (out, out_end), (err, err_end) = SERVER.Pipe(duplex=False), SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=_run, args=([str(word) for word in words], out_end, err_end, before))
    process.start()
    out_end.close(), err_end.close()
    try:
        with os.fdopen(os.dup(out.fileno())) as stdout, os.fdopen(os.dup(err.fileno())) as stderr:
            yield Started(process, stdout, stderr)
    finally:
        process.kill()
        process.join()
        out.close(), err.close()


def _run(
    words: list[str], out: connection.Connection, err: connection.Connection, before: Callable[[], object]
) -> None:
    from dsir.cli.main import main

    os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
    out.close(), err.close()
    if hasattr(signal, "pthread_sigmask"):  # a batch that ran here before has the server's children deaf to Ctrl-C
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    before()
    sys.exit(main(words))

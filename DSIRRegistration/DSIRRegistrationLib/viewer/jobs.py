"""Long work beside a live page: generators are stepped between two pictures, and one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

from dsir.errors import Cancelled, DsirError

STEP = 0.08
"""Seconds between two looks at a running process."""


class Jobs:
    """Runs one generator at a time in the page's own event loop.

    Args:
        shown: told ``(stage, fraction)`` while something runs, and ``("", 0)`` when nothing does.
        said: told one sentence when a job ends badly, or was stopped.
    """

    def __init__(self, shown: Callable[[str, float], None], said: Callable[[str], None]) -> None:
        self.shown, self.said = shown, said
        self._stop = False
        self._work: Generator[None, None, Any] | None = None
        self.running = False

    def progress(self, stage: str, fraction: float, message: str) -> None:
        """As :data:`dsir.progress.Progress`; raises once the user has pressed Cancel."""
        if self._stop:
            raise Cancelled("Stopped.")
        self.shown(f"{stage}: {message}" if message else stage, fraction)

    def cancel(self) -> None:
        """End what runs, soon."""
        self._stop = self.running

    def end(self) -> None:
        """End what runs now: the page is going away."""
        if self._work is not None:
            self._work.close()

    async def run(self, work: Generator[None, None, Any]) -> Any:
        """Step a generator to its end; returns what it returns, None when it failed or was stopped."""
        if self.running:
            self.said("Something is being computed already; wait for it, or cancel it.")
            work.close()
            return None
        self.running, self._stop, self._work = True, False, work
        self.shown("starting", 0.0)
        try:
            while True:
                at_work = next(work)
                if self._stop:
                    raise Cancelled("Stopped.")
                await asyncio.sleep(0 if at_work else STEP)
        except StopIteration as end:
            return end.value
        except Cancelled:
            self.said("Stopped; nothing was changed.")
        except DsirError as error:
            self.said(str(error))
        finally:
            work.close()
            self.running, self._work = False, None
            self.shown("", 0.0)
        return None

"""Work in small steps, so that the panel stays alive and a script may simply wait."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Generic, TypeVar

Result = TypeVar("Result")

PAUSE = 0.03
"""Seconds between two looks at a working engine, where nobody else sets the pace."""


class Run(Generic[Result]):
    """A piece of work that yields often: a registration, a propagation, an evaluation.

    The panel calls :meth:`step` from a timer, a script calls :meth:`wait`. :meth:`cancel` ends the engine's process,
    removes the temporary files and leaves the scene as it was.

    Attributes:
        waiting: for the engine; else (the work yielded ``True``) the next step can be done at once.
    """

    def __init__(self, work: Generator[bool | None, None, Result]) -> None:
        self._work = work
        self.result: Result | None = None
        self.running = True
        self.waiting = False

    def step(self) -> bool:
        """Do a little; True when all is done. What went wrong is raised here, after the clearing up."""
        if not self.running:
            return True
        try:
            self.waiting = not next(self._work)
        except StopIteration as end:
            self.result, self.running = end.value, False
        except BaseException:
            self.running = False
            raise
        return not self.running

    def wait(self) -> Result:
        """Step until done, and give the result."""
        try:
            while not self.step():
                time.sleep(PAUSE if self.waiting else 0)
        except BaseException:
            self.cancel()
            raise
        return self.result

    def cancel(self) -> None:
        """End it now; harmless when it has ended."""
        self.running = False
        self._work.close()

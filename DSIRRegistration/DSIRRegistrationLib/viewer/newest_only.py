"""While the pointer is dragged, only its newest place is queried; older places that still wait are dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from trame_server.utils.asynchronous import create_task

REST = 0.005
"""Seconds left to the page between two answers, in which pictures go out and newer places come in."""

Request = TypeVar("Request")


class NewestOnly(Generic[Request]):
    """Handles requests one at a time in the page's event loop; a newer one takes the place of one that waits.

    Args:
        do: handles a request.
    """

    def __init__(self, do: Callable[[Request], None]) -> None:
        self.do = do
        self._waiting: list[Request] = []
        self._at_work = False

    def request(self, request: Request) -> None:
        """Ask for something; returns at once."""
        self._waiting = [request]
        if not self._at_work:
            self._at_work = True
            create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(REST)
                self.do(self._waiting.pop())
        finally:
            self._at_work = False

"""While a point is dragged, two views are drawn at each step and four now and then: drawing a view takes as long as a
query."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from trame_server.utils.asynchronous import create_task
from trame_slicer.views import SliceView

REST = 0.25
"""Seconds without a new place after which a point rests."""

TURN = 5
"""Every fifth answer is drawn in the views that follow too."""


class DragViews:
    """Draws all views once the point rests, and until then the others only now and then.

    Args:
        rows: views of the fixed and of the moving scan in the same order: the view under the pointer and the one of
            its plane in the other row lead.
    """

    def __init__(self, rows: Sequence[Sequence[SliceView]]) -> None:
        self._planes = list(zip(*rows, strict=True))
        self._moved = -REST
        self._since = 0
        self._waiting = False

    def move(self, under: SliceView) -> None:
        """A place in the view ``under`` the pointer is going to be answered."""
        now = time.monotonic()
        dragged, self._moved = now - self._moved < REST, now
        self._since = (self._since + 1) % TURN if dragged else 0
        for plane in self._planes:
            _hold(plane, held=self._since > 0 and under not in plane)
        if dragged and not self._waiting:
            self._waiting = True
            create_task(self._come_to_rest())

    async def _come_to_rest(self) -> None:
        while (left := self._moved + REST - time.monotonic()) > 0:
            await asyncio.sleep(left)
        self._waiting = False
        for plane in self._planes:
            _hold(plane, held=False)


def _hold(views: Sequence[SliceView], *, held: bool) -> None:
    for view in views:
        if view.is_render_blocked != held:
            view.set_render_blocked(held)  # asks for a picture where it lets go

"""What the mouse does in each of the six views: asks, changes the window, and says where it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from trame_slicer.views import SliceView

from .pointer import Pointer
from .session import Session
from .windowing import WindowDrag

Told = Callable[[str, np.ndarray], None]
"""Called with a side and a world point."""


class Mouse:
    """Attributes: under: the view the mouse was in last, None before the first move.

    Args:
        asked: told of each point that is asked for.
        over: told of each point under the mouse.
        hovering: whether moving without a button asks too.
        changed: called after a window has changed.
    """

    def __init__(
        self, session: Session, *, asked: Told, over: Told, hovering: Callable[[], bool], changed: Callable[[], None]
    ) -> None:
        self.under: SliceView | None = None
        self._ask, self._over = asked, over
        self._parts: list[object] = []
        for name, side in session.sides.items():
            for view in side.views:
                pressed, moved = partial(self._asked, name, view), partial(self._moved, name, view)
                self._parts.append(Pointer(view, pressed, hovering, moved))
                self._parts.append(WindowDrag(view, partial(session.windowed, name), changed))

    def _asked(self, side: str, view: SliceView, point: np.ndarray) -> None:
        self.under = view
        self._ask(side, point)

    def _moved(self, side: str, view: SliceView, point: np.ndarray) -> None:
        self.under = view
        self._over(side, point)

"""The left mouse button in a slice view sets, and drags, the point that is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from trame_slicer.views import SliceView

TOLD = 0.1
"""Seconds between two tellings of what lies under the mouse: each is a message to the page."""

Set = Callable[[np.ndarray], None]
"""Called with a world RAS point."""


class Pointer:
    """Turns a view's mouse events into world points.

    Args:
        pressed: told of the point at press, while dragged, and at release.
        hovering: whether moving without a button counts too.
        over: told of the point under the mouse whenever it moves, at most every :data:`TOLD` seconds.
    """

    def __init__(
        self, view: SliceView, pressed: Set, hovering: Callable[[], bool], over: Set = lambda point: None
    ) -> None:
        self.view, self.pressed, self.hovering, self.over = view, pressed, hovering, over
        self._told = 0.0
        self._down = False
        interactor = view.interactor()
        events = ("LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent")
        self._tags = {event: interactor.AddObserver(event, self._happened, 10.0) for event in events}

    def place(self) -> np.ndarray:
        """World RAS under the mouse."""
        x, y = self.view.interactor().GetEventPosition()
        return np.array(self.view.get_view_node().GetXYToRAS().MultiplyPoint((x, y, 0.0, 1.0))[:3])

    def _happened(self, interactor, event: str) -> None:
        if event == "MouseMoveEvent" and time.monotonic() - self._told >= TOLD:
            self._told = time.monotonic()
            self.over(self.place())
        if interactor.GetShiftKey() or interactor.GetControlKey():
            return  # Slicer's own: crosshair, pan
        if event == "LeftButtonPressEvent":
            self._down = True
        elif event == "LeftButtonReleaseEvent":
            if not self._down:
                return
            self._down = False
        elif not (self._down or self.hovering()):
            return
        interactor.GetCommand(self._tags[event]).SetAbortFlag(1)
        self.pressed(self.place())

"""Window and level by the right mouse button; what else a window may be stands in :mod:`..nodes.windows`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
from dsir.geometry.windows import CT_WINDOWS
from trame_slicer.views import SliceView

from ..nodes.windows import FITTING

CHOICES = (FITTING, *CT_WINDOWS)
"""What the page offers; all but the first change CTs alone."""

SPEED = 1 / 250
"""Share of the present window by which a pixel of the mouse changes it."""


class WindowDrag:
    """The right button, or Control and the left, changes contrast (sideways) and brightness (up and down).

    Args:
        nodes: what changes.
        changed: called after each step.
    """

    def __init__(
        self, view: SliceView, nodes: Callable[[], list[slicer.vtkMRMLScalarVolumeNode]], changed: Callable[[], None]
    ) -> None:
        self.view, self.nodes, self.changed = view, nodes, changed
        self._from: np.ndarray | None = None
        interactor = view.interactor()
        events = ("RightButtonPressEvent", "LeftButtonPressEvent", "MouseMoveEvent", "RightButtonReleaseEvent",
                  "LeftButtonReleaseEvent")  # fmt: skip
        self._tags = {event: interactor.AddObserver(event, self._happened, 20.0) for event in events}

    def _happened(self, interactor, event: str) -> None:
        here = np.array(interactor.GetEventPosition(), dtype=float)
        if event == "RightButtonPressEvent" or (event == "LeftButtonPressEvent" and interactor.GetControlKey()):
            self._from = here
        elif self._from is None:
            return
        elif event.endswith("ReleaseEvent"):
            self._from = None
        else:
            across, up = (here - self._from) * SPEED
            self._from = here
            for node in self.nodes():
                display = node.GetDisplayNode()
                window, level = display.GetWindow(), display.GetLevel()
                display.AutoWindowLevelOff()
                display.SetWindowLevel(max(window * (1 + across), 1e-6), level - window * up)
            self.changed()
        interactor.GetCommand(self._tags[event]).SetAbortFlag(1)

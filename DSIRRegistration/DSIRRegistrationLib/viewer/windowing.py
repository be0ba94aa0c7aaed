"""Window and level of a pair: a choice that fits the modality, presets for CT, and the right mouse button."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
import slicer.util
from dsir.geometry.windows import CT_WINDOWS, fitting_window, is_ct
from trame_slicer.views import SliceView

FITTING = "fitting"
CHOICES = (FITTING, *CT_WINDOWS)
"""What the page offers; all but the first change CTs alone."""

SPEED = 1 / 250
"""Share of the present window by which a pixel of the mouse changes it."""


def show_fitting(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Soft tissue (or lung) for a CT, the body's greys for anything else."""
    _set(node, *fitting_window(slicer.util.arrayFromVolume(node)))


def show_with(choice: str, nodes: list[slicer.vtkMRMLScalarVolumeNode]) -> None:
    """One of :data:`CHOICES` for the volumes that it is made for."""
    for node in nodes:
        if choice == FITTING:
            show_fitting(node)
        elif is_ct(slicer.util.arrayFromVolume(node)):
            _set(node, *CT_WINDOWS[choice])


def _set(node: slicer.vtkMRMLScalarVolumeNode, low: float, high: float) -> None:
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(float(low), float(max(high, low + 1e-6)))


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

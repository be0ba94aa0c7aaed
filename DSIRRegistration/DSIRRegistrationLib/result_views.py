"""What the views show of a result: blended, flickering, in squares, as a map, with a second cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from . import views
from .cursor import LinkedCursor
from .nodes.checkerboard import place_checkerboard
from .nodes.windows import AS_FIXED, CHOICES, FITTING, chosen_by_hand, show_with
from .parameters import Parameters

BUTTONS = ("fixedViewButton", "warpedViewButton", "bothViewButton", "checkerButton", "flickerButton")
FLICKER = 500
"""Milliseconds between the two pictures."""


class ResultViews:
    """Buttons that compare the fixed with the warped scan.

    Args:
        own_views: gives the views back that somebody else has taken.
    """

    def __init__(self, ui: Any, own_views: Callable[[], None]) -> None:
        self.ui, self._own_views = ui, own_views
        self.parameters: Parameters | None = None
        self._cursor: LinkedCursor | None = None
        self._board: slicer.vtkMRMLScalarVolumeNode | None = None
        self._flicker = qt.QTimer()
        self._flicker.setInterval(FLICKER)
        self._flicker.timeout.connect(self._turn)
        self._front = False
        ui.fixedViewButton.clicked.connect(lambda *_args: self.show(0.0))
        ui.warpedViewButton.clicked.connect(lambda *_args: self.show(1.0))
        ui.bothViewButton.clicked.connect(lambda *_args: self.show(0.5))
        ui.checkerButton.clicked.connect(lambda *_args: self.show_checkerboard())
        ui.jacobianViewButton.clicked.connect(lambda *_args: self.show_jacobian())
        ui.confidenceViewButton.clicked.connect(lambda *_args: self.show_confidence())
        ui.flickerButton.toggled.connect(self.set_flicker)
        ui.blendSlider.valueChanged.connect(self._blend)
        words = {FITTING: _("fitting each scan"), AS_FIXED: _("warped as fixed")}
        for choice in CHOICES:
            ui.windowSelector.addItem(words.get(choice, _("CT: {name}").format(name=choice)), choice)
        ui.windowSelector.currentIndexChanged.connect(lambda *_args: self.set_windows())
        ui.cursorCheck.toggled.connect(self.set_cursor)

    def refresh(self) -> None:
        """Switch the buttons by what there is."""
        p, warped = self.parameters, self.warped
        transform = p.transform if p is not None else None
        for name in BUTTONS:
            getattr(self.ui, name).setEnabled(warped is not None and p.fixed is not None)
        self.ui.blendSlider.setEnabled(warped is not None)
        if self._cursor is not None and self._cursor.transform is not transform:
            self.set_cursor(True)  # another node has taken its place
        self.ui.windowSelector.setEnabled(warped is not None)
        self.ui.cursorCheck.setEnabled(transform is not None)
        self.ui.jacobianViewButton.setEnabled(p is not None and p.jacobian is not None)
        self.ui.confidenceViewButton.setEnabled(p is not None and p.confidence is not None)

    @property
    def warped(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The moving scan as it lies on the fixed one."""
        return self.parameters.warped if self.parameters is not None else None

    def show(self, opacity: float) -> None:
        """Fixed behind, warped in front."""
        warped = self.warped
        if warped is None or self.parameters.fixed is None:
            return
        self.ui.flickerButton.setChecked(False)
        self._view(self.parameters.fixed, warped, opacity)
        self.ui.blendSlider.setValue(opacity)

    def show_checkerboard(self) -> None:
        """Both in squares."""
        warped = self.warped
        if warped is None or self.parameters.fixed is None:
            return
        self.ui.flickerButton.setChecked(False)
        kept = self._board if self._board is not None and self._board.GetScene() is not None else None
        self._board = place_checkerboard(self.parameters.fixed, warped, target=kept)
        self._view(self._board, None)

    def show_jacobian(self) -> None:
        """The map of volume change over the fixed scan."""
        if self.parameters.fixed is not None and self.parameters.jacobian is not None:
            self.ui.flickerButton.setChecked(False)
            self._view(self.parameters.fixed, self.parameters.jacobian, 0.5)

    def show_confidence(self) -> None:
        """The map of confidence over the fixed scan: dark is where not to trust."""
        if self.parameters.fixed is not None and self.parameters.confidence is not None:
            self.ui.flickerButton.setChecked(False)
            self._view(self.parameters.fixed, self.parameters.confidence, 0.5)

    def set_windows(self) -> None:
        """Show both scans with the chosen grey values."""
        p, warped = self.parameters, self.warped
        if p is None or p.fixed is None:
            return
        others = [node for node in (p.moving, warped) if node is not None]
        show_with(CHOICES[self.ui.windowSelector.currentIndex], p.fixed, *others)

    def fit_windows(self) -> None:
        """After a run: windows that nobody chose by hand fit their modality; the warped scan is shown as the moving."""
        p, warped = self.parameters, self.warped
        for node in (p.fixed, p.moving):
            if node is not None and not chosen_by_hand(node):
                show_with(FITTING, node)
        if p.moving is not None and warped is not None:
            show_with(AS_FIXED, p.moving, warped)

    def set_flicker(self, on: bool) -> None:
        """Fixed and warped in turn."""
        if on:
            warped = self.warped
            if warped is not None and self.parameters.fixed is not None:
                self._view(self.parameters.fixed, warped, 0.0)
                self._flicker.start()
        else:
            self._flicker.stop()

    def set_cursor(self, on: bool) -> None:
        """The marker in the unwarped moving scan."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        transform = self.parameters.transform if self.parameters is not None else None
        if on and transform is not None:
            self._cursor = LinkedCursor(transform.GetScene(), transform)

    def stop(self) -> None:
        """Leave nothing running and nothing in the views that is ours alone."""
        self.ui.flickerButton.setChecked(False)
        self.ui.cursorCheck.setChecked(False)
        self._flicker.stop()

    def _view(self, *layers: Any) -> None:
        """Put volumes into the user's own views."""
        self._own_views()
        views.show(*layers)

    def _turn(self) -> None:
        self._front = not self._front
        views.set_opacity(1.0 if self._front else 0.0)

    def _blend(self, value: float) -> None:
        if self.warped is not None:
            views.set_opacity(value)

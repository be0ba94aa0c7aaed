"""The panel's section for asking: a point in one scan, where its structure is found in the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from dsir.errors import DsirError
from slicer.i18n import tr as _

from . import views
from .engine_process import MODULE_FOLDER
from .heatmap import THRESHOLD
from .logic import RegistrationLogic
from .parameters import AS_PRESET, Parameters
from .query_views import QueryViews
from .querypoint import Hover, QueryPoint
from .roles import FIXED, MOVING
from .run import Run
from .steering import Steering

if TYPE_CHECKING:
    from .similarity import Shown, Similarity

HILL = 0.6
"""Share of the best similarity from which colour is shown at the latest: between CT and MR even a right match is often
no more than 0.4 alike, and its hill must be seen."""

MODELS = MODULE_FOLDER / "dsir" / "models" / "models.json"


class SimilaritySection:
    """Place a point, drag it, follow the mouse, accept what is right.

    Args:
        start: runs a piece of work in the panel's own way (progress, cancel, errors).
        refine: registers again from the present result.
    """

    def __init__(
        self, ui: Any, logic: RegistrationLogic, start: Callable[..., None], refine: Callable[[], None]
    ) -> None:
        self.ui, self.logic, self._start = ui, logic, start
        self.steering = Steering(ui, refine)
        self.parameters: Parameters | None = None
        self.session: Similarity | None = None
        self.point: QueryPoint | None = None
        self.shown: Shown | None = None
        self._asked: np.ndarray | None = None
        self._hover: Hover | None = None
        self._views: QueryViews | None = None
        ui.sideSelector.addItems([_("the fixed scan"), _("the moving scan")])
        ui.placeButton.clicked.connect(lambda *_args: self._ready(self._begin_placing))
        ui.hoverButton.toggled.connect(self._hovering)
        ui.surroundingsCheckBox.toggled.connect(lambda *_args: self.ask_again())
        ui.acceptButton.clicked.connect(lambda *_args: self.accept())
        ui.ownViewsButton.clicked.connect(lambda *_args: self.own_views())
        ui.similaritySection.contentsCollapsed.connect(lambda collapsed: self.own_views() if collapsed else None)

    @property
    def side(self) -> str:
        """Where the point is placed."""
        return MOVING if self.ui.sideSelector.currentIndex == 1 else FIXED

    @property
    def descriptor(self) -> str:
        """The panel's choice; without one the learned representation where it ships."""
        chosen = self.parameters.descriptor
        return chosen if chosen != AS_PRESET else "dsir" if "dsir" in _shipped() else "mind"

    def set_parameters(self, parameters: Parameters | None) -> None:
        """Look at another scene's state."""
        if parameters is None:
            self.stop()
        self.parameters = parameters
        self.steering.parameters = parameters

    def refresh(self, *, busy: bool = False, able: bool = True) -> None:
        """Bring the section up to date with the nodes; ``able``: no package is missing."""
        p = self.parameters
        both = p is not None and p.fixed is not None and p.moving is not None and p.fixed is not p.moving
        both = both and able
        if self.session is not None and (not both or set(self.session.volumes.values()) != {p.fixed, p.moving}):
            self.stop()
        for button in (self.ui.placeButton, self.ui.hoverButton):
            button.setEnabled(both and not busy)
        self.ui.acceptButton.setEnabled(self.shown is not None and not busy)
        self.ui.ownViewsButton.setEnabled(self._views is not None and self._views.on)
        self.steering.refresh(busy=busy)

    def ask(self, point: np.ndarray) -> None:
        """Search for a world point, RAS mm, and show what was found."""
        if self.session is None or self.parameters is None:
            return  # the point outlives them for a moment while a scene is closed
        self.session.transform = self.parameters.transform
        self._asked = point
        try:
            alone = not self.ui.surroundingsCheckBox.checked
            self.shown = self.session.ask(self.side, point, self.descriptor, alone=alone)
        except DsirError as error:
            self.shown = None
            self.ui.similarityLabel.setText(str(error))
        else:
            self.ui.similarityLabel.setText(self.shown.sentence)
            self.session.heat.threshold = min(THRESHOLD, HILL * self.shown.answer.best.similarity)
            if self._views is not None:
                self._views.show(self.shown)
        if self._views is not None:
            self._views.mark(self.side, self.point, self.shown)
        self.ui.acceptButton.setEnabled(self.shown is not None)

    def ask_again(self) -> bool:
        """Search once more for the last point, after a registration; False where there was none."""
        if self.session is None or self._asked is None:
            return False
        self.ask(self._asked)
        return True

    def accept(self) -> None:
        """Keep the point and its match as a pair; once."""
        if self.shown is None:
            return
        self.steering.accept(self.shown)
        self.shown = None
        self.ui.acceptButton.setEnabled(False)

    def own_views(self) -> None:
        """The user's own layout again; what was asked stays."""
        if self._views is not None:
            self._views.leave()
        self.ui.ownViewsButton.setEnabled(False)

    def _two_rows(self) -> None:
        if self._views is None:
            self._views = QueryViews(self.ui, self.session, self.parameters)
        self._views.enter()

    def _touched(self) -> None:
        """The mouse put the point into a view: the row says which scan is meant."""
        side = self._views.side_under_mouse() if self._views is not None else None
        if side is not None and side != self.side:
            self.ui.sideSelector.setCurrentIndex(1 if side == MOVING else 0)

    def stop(self) -> None:
        """Take everything temporary out of the scene."""
        if self._hover is not None:
            self._hover.on = False
        self.ui.hoverButton.setChecked(False)
        self.own_views()
        if self.point is not None:
            self.point.remove()
        if self._views is not None:
            self._views.remove()
        if self.session is not None:
            self.session.remove()
        self.session, self.point, self.shown, self._hover, self._asked = None, None, None, None, None
        self._views = None
        self.ui.similarityLabel.setText("")

    def _ready(self, then: Callable[[], None]) -> None:
        """Describe both scans where that has not been done, then go on."""
        from .similarity import Similarity  # needs packages that a Slicer may lack when the panel opens

        p = self.parameters
        if self.session is None:
            self.session = Similarity(p.fixed, p.moving, launch=self.logic.launch)
        if self.session.ready(self.descriptor):
            then()
            return

        def described(_result: None) -> str:
            if self.session is not None:
                then()
            return _("Ready: click a place in a scan, then drag it.")

        session, descriptor = self.session, self.descriptor
        self._start(lambda progress: Run(session.compute(descriptor, progress=progress)), described)

    def _begin_placing(self) -> None:
        self._two_rows()
        if self.point is None:
            self.point = QueryPoint(self.parameters.fixed.GetScene(), self.ask, touched=self._touched)
        self.point.clear()
        self.point.show_in([])
        views.place(self.point.node)

    def _hovering(self, on: bool) -> None:
        if on:
            self._ready(self._begin_hovering)
        elif self._hover is not None:
            self._hover.on = False

    def _begin_hovering(self) -> None:
        self._two_rows()
        if self._hover is None:
            self._hover = Hover(self.parameters.fixed.GetScene(), self._hovered)
        self._hover.on = True

    def _hovered(self, point: np.ndarray) -> None:
        self._touched()
        self.ask(point)


def _shipped() -> set[str]:
    """Names of the networks that come with the module."""
    try:
        return set(json.loads(MODELS.read_text(encoding="utf-8"))["models"])
    except (OSError, ValueError, KeyError):
        return set()

"""Where a question is seen: both scans in rows of their own, the answer marked in the row that was searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .nodes.volumes import lattice_of
from .point_sets import EXPECTED, FOUND, Mark
from .querypoint import QueryPoint
from .roles import FIXED, MOVING, OTHER
from .two_rows import TwoRows

if TYPE_CHECKING:
    from .parameters import Parameters
    from .similarity import Shown, Similarity


class QueryViews:
    """The two rows and the marks in them, of one pair of scans.

    Args:
        ui: the panel's widgets.
        parameters: of the scene whose scans they are.
    """

    def __init__(self, ui: Any, session: Similarity, parameters: Parameters) -> None:
        self.ui, self.session, self.parameters = ui, session, parameters
        self._rows = TwoRows(session.volumes, self._across)
        self._offset: np.ndarray | None = None
        self._marks: dict[str, Mark] = {}

    @property
    def on(self) -> bool:
        """Whether the rows are shown."""
        return self._rows.on

    def enter(self) -> None:
        """Fixed above, moving below, and what is drawn in its own row."""
        self._rows.enter()
        self.ui.ownViewsButton.setEnabled(self.on)

    def leave(self) -> None:
        """The user's own layout again; what was asked stays."""
        self._rows.leave()

    def side_under_mouse(self) -> str | None:
        """Which scan's row the mouse is in."""
        return self._rows.side_under_mouse()

    def show(self, shown: Shown) -> None:
        """Bring both rows to a point and its match."""
        away = shown.match - shown.point
        self._offset = away if shown.side == FIXED else -away
        self._rows.show(shown.side, shown.point, shown.match, self.session.heat.volume)

    def mark(self, side: str, point: QueryPoint | None, shown: Shown | None) -> None:
        """Best match and where the transform puts the point, in the views of the scan that is searched."""
        rows = {role: self._rows.view_ids(role) if self.on else [] for role in (FIXED, MOVING)}
        if point is not None:
            point.show_in(rows[side])
        for what, place in ((EXPECTED, shown.expected if shown else None), (FOUND, shown.match if shown else None)):
            if what not in self._marks:
                self._marks[what] = Mark(self.parameters.fixed.GetScene(), what)
            self._marks[what].show_in(rows[OTHER[side]])
            self._marks[what].place = place

    def remove(self) -> None:
        """Take the marks out of the scene."""
        for mark in self._marks.values():
            mark.remove()
        self._marks = {}

    def _across(self, side: str, point: np.ndarray) -> np.ndarray:
        """Where a point of one scan lies in the other: by the transform, else as far off as the last match was."""
        self.session.transform = self.parameters.transform
        expected = self.session.expected(side, point)
        if expected is not None:
            return expected
        if self._offset is None:
            middles = {role: lattice_of(volume).centre for role, volume in self.session.volumes.items()}
            self._offset = middles[MOVING] - middles[FIXED]
        return point + self._offset if side == FIXED else point - self._offset

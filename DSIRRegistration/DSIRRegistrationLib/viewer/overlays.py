"""Overlays of the views: heat map, the moving scan before and after, maps, the deformation."""

from __future__ import annotations

from collections.abc import Callable

from trame_slicer.core import SlicerApp

from ..roles import FIXED, MOVING, OTHER
from ..similarity import Shown, Similarity
from .deformation import NONE, Deformation
from .maps import COSINE, HEAT, Legend, Map
from .result import Result
from .side import Side
from .stencil import BLEND, Stencil

SIMILARITY, BEFORE, AFTER = COSINE, "before", "after"


class Overlays:
    """Attributes may be set; :meth:`lay` makes them seen.

    Attributes:
        overlay: :data:`SIMILARITY`, :data:`BEFORE`, :data:`AFTER` or the name of one of :class:`.maps.Maps`.
        opacity: of the overlay where it is blended, 0 to 1.
        mode, curtain: how before and after are shown, as :class:`.stencil.Stencil` takes it.
        drawn: how the deformation is drawn, of :data:`.deformation.DRAWN`.
        dragged: called with the curtain's new place when the mouse has moved it.
    """

    def __init__(self, app: SlicerApp, sides: dict[str, Side], similarity: Similarity, result: Result) -> None:
        self.sides, self.similarity, self.result = sides, similarity, result
        self.overlay, self.opacity = SIMILARITY, 0.6
        self.mode, self.curtain, self.drawn = BLEND, 0.5, NONE
        self.dragged: Callable[[float], None] = lambda place: None
        self._deformations = [Deformation(view) for view in sides[FIXED].views]
        self._stencils = [Stencil(app, view, self._moved) for view in sides[FIXED].views]

    def lay(self, last: Shown | None) -> None:
        """Show the heat map of the last click over the searched image, and what is chosen over the fixed one."""
        heat = self.similarity.heat.volume if last is not None else None
        searched = OTHER[last.side] if last is not None else MOVING
        for name, side in self.sides.items():
            side.overlay(heat if name == searched else None, self.opacity if name == searched else 0.0)
        compared = {BEFORE: self.sides[MOVING].volume, AFTER: self.result.warped}.get(self.overlay)
        if compared is not None:
            self.sides[FIXED].overlay(compared, self.opacity if self.mode == BLEND else 1.0)
        elif (shown := self._map()) is not None:
            self.sides[FIXED].overlay(shown.volume, self.opacity)
        for stencil in self._stencils:
            stencil.show(BLEND if compared is None else self.mode, self.curtain)
        transform = self.result.transform
        moves = self.result.maps.moves(transform) if transform is not None and self.drawn != NONE else None
        for deformation in self._deformations:
            deformation.show(self.drawn, moves)

    @property
    def map_legend(self) -> Legend | None:
        """Of a map over the fixed scan; None where there is none."""
        shown = self._map()
        return shown.legend if shown is not None else None

    @property
    def legend(self) -> Legend | None:
        """Of the overlay's colours; None where it has none."""
        return HEAT if self.overlay == SIMILARITY else self.map_legend

    def result_changed(self) -> None:
        """Show the new result, unless one of its maps is being looked at; nothing of it where it is gone."""
        if self.result.kept is None and self.overlay != BEFORE:
            self.overlay = SIMILARITY
        elif self.result.kept is not None and self.overlay in (SIMILARITY, BEFORE):
            self.overlay = AFTER

    def _map(self) -> Map | None:
        if self.result.transform is None or self.overlay in (SIMILARITY, BEFORE, AFTER):
            return None
        return self.result.maps.get(self.overlay, self.result.transform)

    def _moved(self, place: float) -> None:
        self.curtain = place
        for stencil in self._stencils:
            stencil.show(stencil.mode, place)
        self.dragged(place)

"""The panel's pairs: accepted or placed, counted, measured, taken back, and what Refine begins from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dsir.errors import DsirError
from slicer.i18n import tr as _

from .pairs import Pairs, apart, landmarks
from .parameters import Parameters, pairs, task
from .roles import FIXED, MOVING

if TYPE_CHECKING:
    from .similarity import Shown


class Steering:
    """What stands below a click.

    Args:
        refine: registers again from the present result.
    """

    def __init__(self, ui: Any, refine: Callable[[], None]) -> None:
        self.ui = ui
        self.parameters: Parameters | None = None
        ui.takeBackButton.clicked.connect(lambda *_args: self.take_back())
        ui.refineButton.clicked.connect(lambda *_args: refine())

    def accept(self, shown: Shown) -> None:
        """Keep a point and its match."""
        p, kept = self.parameters, self._pairs()
        kept.accept(shown)
        p.fixedPairs, p.movingPairs = kept.nodes[FIXED], kept.nodes[MOVING]
        self.refresh()

    def take_back(self) -> None:
        """Forget the last pair."""
        self._pairs().take_back()
        self.refresh()

    def refresh(self, *, busy: bool = False) -> None:
        """Say how many there are and how far from the present result, and switch the buttons accordingly."""
        words, why = self._words(), self._why_not()
        self.ui.pairsLabel.setText(words)
        self.ui.takeBackButton.setEnabled(self.parameters is not None and bool(pairs(self.parameters)) and not busy)
        self.ui.refineButton.setEnabled(not why and not busy)
        self.ui.refineButton.setToolTip(
            why or _("Improve the present result from where it is; the pairs pull. Nothing is searched for: seconds.")
        )

    def _pairs(self) -> Pairs:
        p = self.parameters
        return Pairs(p.fixed, p.moving, (p.fixedPairs, p.movingPairs))

    def _words(self) -> str:
        p = self.parameters
        if p is None or pairs(p) is None:
            return _("No pairs yet: accept a match that is right, or choose points you placed by hand.")
        try:
            found = landmarks(*pairs(p), below=task(p).result_above if p.moving else None)
        except DsirError as error:
            return str(error)
        words = _("Pairs: {n}").format(n=len(found))
        if p.transform is None:
            return words + _(". Apply begins from them.")
        away = apart(found, p.transform)
        return words + _("; {mean:.1f} mm from where the result puts them (largest {most:.1f}).").format(
            mean=away.mean(), most=away.max()
        )

    def _why_not(self) -> str:
        p = self.parameters
        if p is None or p.transform is None or p.fixed is None or p.moving is None:
            return _("Register first: Apply begins from the pairs too.")
        return ""

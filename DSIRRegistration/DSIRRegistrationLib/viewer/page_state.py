"""The page's state brought up to date with the session: sentences, progress, pairs, verdict, legend."""

from __future__ import annotations

from trame_server.state import State

from .session import Session
from .status import pair_rows, verdict_state


class PageState:
    """Writes what the page shows."""

    def __init__(self, session: Session, state: State) -> None:
        self.session, self.state = session, state

    def say(self, sentence: str) -> None:
        """One line of words."""
        with self.state as state:
            state.dsir_words = sentence

    def show_progress(self, stage: str, fraction: float) -> None:
        """How far a run is; an empty stage for none."""
        with self.state as state:
            state.dsir_busy, state.dsir_stage, state.dsir_percent = bool(stage), stage, round(100 * fraction)

    def show_result(self) -> None:
        """Pairs or result are others now."""
        session, missed = self.session, self.session.missed
        with self.state as state:
            state.dsir_pairs = pair_rows(session.pairs.records(), missed)
            state.dsir_missed = "" if missed is None else f", {missed.mean():.1f} mm apart"
            state.dsir_can_undo, state.dsir_can_redo = session.history.can_undo, session.history.can_redo
            state.dsir_transform, state.dsir_overlay = session.result.transform is not None, session.overlays.overlay
            state.dsir_asked = session.last is not None
            state.update(verdict_state(session.result.kept.report if session.result.kept else {}))
            self.state.dsir_legend = self._legend()

    def show_legend(self) -> None:
        """What the colours over the fixed scan mean; a new map is said too."""
        legend, before = self.session.overlays.map_legend, self.state.dsir_legend
        with self.state as state:
            state.dsir_legend = self._legend()
            if legend is not None and (before is None or before["title"] != legend.title):
                state.dsir_words = f"{legend.title[:1].upper()}{legend.title[1:]}: {legend.said}."

    def _legend(self) -> dict[str, object] | None:
        legend = self.session.overlays.map_legend
        return legend.as_state() if legend is not None else None

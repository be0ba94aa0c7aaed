"""Clicks and drags become queries, with the page's options; each is answered in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dsir.errors import DsirError
from trame_server.state import State

from .newest_only import NewestOnly
from .session import Session


class Queries:
    """Args:
    moved: called before each answer to the pointer.
    answered: called after each answer.
    """

    def __init__(
        self, session: Session, state: State, *, moved: Callable[[], None], answered: Callable[[], None]
    ) -> None:
        self.session, self.state, self.moved, self.answered = session, state, moved, answered
        self._newest: NewestOnly[tuple[str, np.ndarray]] = NewestOnly(lambda request: self._follow(*request))

    def request(self, side: str, point: np.ndarray) -> None:
        """Ask soon, unless a newer request comes before."""
        self._newest.request((side, point))

    def _follow(self, side: str, point: np.ndarray) -> None:
        self.moved()
        self.ask(side, point)

    def ask(self, side: str, point: np.ndarray) -> None:
        """Ask now."""
        with self.state as state:
            try:
                shown = self.session.click(side, point, state.dsir_descriptor, follow=state.dsir_follow, **self.search)
                state.dsir_words, state.dsir_asked = shown.sentence[:1].upper() + shown.sentence[1:], True
            except DsirError as error:
                state.dsir_words = str(error)
        self.answered()

    def ask_again(self, **_: object) -> None:
        """The last question once more: how to look has changed."""
        if self.session.asked is not None and self.session.similarity.ready(self.state.dsir_descriptor):
            self.ask(*self.session.asked)

    @property
    def search(self) -> dict[str, Any]:
        """How the page wants a point to be looked for."""
        return {"radius": float(self.state.dsir_radius) or None, "alone": not self.state.dsir_surroundings}

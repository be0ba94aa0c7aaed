"""Undo and redo: states that were left, and those that were come back from."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")

MOST = 100
"""States kept."""


class History(Generic[State]):
    """Two stacks.

    >>> history = History()
    >>> history.leave("nothing"); history.undo("one pair"), history.redo("nothing")
    ('nothing', 'one pair')
    """

    def __init__(self) -> None:
        self._before: list[State] = []
        self._after: list[State] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a former state."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether something was undone and nothing done since."""
        return bool(self._after)

    def leave(self, state: State) -> None:
        """Remember a state that is about to change."""
        self._before = [*self._before, state][-MOST:]
        self._after = []

    def undo(self, present: State) -> State:
        """The former state."""
        self._after.append(present)
        return self._before.pop()

    def redo(self, present: State) -> State:
        """The state that was undone last."""
        self._before.append(present)
        return self._after.pop()

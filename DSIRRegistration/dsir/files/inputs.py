"""What this run reads is never written over, whatever the user allows to be replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..errors import DsirError

_INPUTS: ContextVar[tuple[Path, ...]] = ContextVar("inputs", default=())


@contextmanager
def sparing(paths: Iterable[Path]) -> Iterator[None]:
    """Within this, files and folders among ``paths`` are inputs; those of an outer one stay so."""
    token = _INPUTS.set((*_INPUTS.get(), *(Path(path) for path in paths)))
    try:
        yield
    finally:
        _INPUTS.reset(token)


def is_input(path: Path) -> bool:
    """Whether this run reads what lies at ``path``, by whatever name it was given."""
    return path.exists() and any(one.exists() and path.samefile(one) for one in _INPUTS.get())


def refuse_input(path: Path) -> None:
    """Refuse to write over an input.

    Raises:
        DsirError: ``path`` is one.
    """
    if is_input(path):
        raise DsirError(f"{path} is an input; choose another place for the result.")

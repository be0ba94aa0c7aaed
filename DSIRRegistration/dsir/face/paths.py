"""Paths as people type them into Python, where no shell tells the home folder's sign."""

from __future__ import annotations

from pathlib import Path

from ..errors import DsirError


def expanded(path: str | Path) -> Path:
    """The path with ``~`` and ``~name`` as the folder that they stand for.

    Raises:
        DsirError: nobody of that name is known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise DsirError(f"Nobody knows whose home folder {path} is.") from None

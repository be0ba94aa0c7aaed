"""Names of label values, from a table or from ITK-SNAP's description of labels."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DsirError
from ..files.tables import read_table, text_of

SNAP = re.compile(r'\s*(\d+)\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+\d+\s+\d+\s+"(.*)"\s*')
"""ITK-SNAP: value, red, green, blue, opacity, two switches, name."""


def read_names(path: str | Path) -> dict[int, str]:
    """Names of label values from a CSV with the columns ``value,name`` (or between semicolons or tabs), or from a label
    description of ITK-SNAP.

    Raises:
        DsirError: it cannot be read as such, or gives one value two names.
    """
    try:
        pairs = _snap(text_of(path)) or _table(path)
    except (OSError, KeyError, ValueError):
        raise DsirError(f"{path} does not give names of labels; it needs the columns value,name.") from None
    found: dict[int, str] = {}
    for value, name in pairs:
        if found.setdefault(value, name) != name:
            raise DsirError(f"{path} gives the value {value} two names, {found[value]} and {name}.")
    return found


def _snap(text: str) -> list[tuple[int, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = [SNAP.fullmatch(line) for line in lines]
    return [(int(match[1]), match[2].strip()) for match in found if match] if all(found) else []


def _table(path: str | Path) -> list[tuple[int, str]]:
    columns, lines = read_table(path, "The names of labels in")
    called = {column.lower(): column for column in columns}
    value, name = called["value"], called["name"]
    return [(int(line.cells[value]), line.cells[name]) for line in lines]

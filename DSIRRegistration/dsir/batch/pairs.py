"""The list of pairs: a CSV file with one pair a line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import DsirError
from ..files.tables import read_table
from ..workflow.pair import Pair

ROLES = tuple(field.name for field in fields(Pair) if field.name != "different_patients")
NEEDED = ("name", "fixed", "moving")
COLUMNS = ("name", *ROLES)

SAFE = re.compile(r"\w[\w .+-]*(?<![ .])")
"""Names that every file system takes as a folder's."""

TAKEN = re.compile(r"(?i)results\.(csv|html)|.*\.log")
"""Names of files that the batch itself writes beside the pairs' folders."""


def read_pairs(path: str | Path) -> dict[str, Pair]:
    """Name to pair, in the order of the file; columns are :data:`COLUMNS`, those after ``moving`` may be missing.

    Paths are relative to the folder of the file. Whether they exist is not looked at: that is each pair's own matter.

    Raises:
        DsirError: no such file, other columns, no line, a cell that must be filled, a name twice or one that cannot
            be a folder's.
    """
    path = Path(path)
    columns, lines = read_table(path, "The list of pairs")
    missing, unknown = [n for n in NEEDED if n not in columns], [n for n in columns if n not in COLUMNS]
    if missing or unknown:
        wrong = f"has no column {', '.join(missing)}" if missing else f"has a column {unknown[0]!r} that nothing reads"
        raise DsirError(f"{path} {wrong}; the columns are {', '.join(COLUMNS)} (the first three are needed).")
    found: dict[str, Pair] = {}
    for number, cells, surplus, _ in lines:
        empty = [name for name in NEEDED if not cells.get(name)]
        if empty or surplus:
            wrong = f"says no {empty[0]}" if empty else "has more cells than columns"
            raise DsirError(f"{path}, line {number}: {wrong}.")
        found[cells["name"]] = _pair(cells, found, f"{path}, line {number}", path.resolve().parent)
    if not found:
        raise DsirError(f"{path} lists no pairs.")
    return found


def check_name(name: str, others: Iterable[str]) -> None:
    """Refuse a name that cannot be a folder's beside the others'.

    Raises:
        DsirError: says why.
    """
    if not SAFE.fullmatch(name) or TAKEN.fullmatch(name):
        raise DsirError(f"{name!r} cannot name a folder; use letters, digits, dots, dashes and spaces.")
    if name.lower() in {other.lower() for other in others}:
        raise DsirError(f"the name {name!r} is there twice.")


def _pair(cells: dict[str, str], others: dict[str, Pair], place: str, folder: Path) -> Pair:
    try:
        check_name(cells["name"], others)
    except DsirError as error:
        raise DsirError(f"{place}: {error}") from None
    files: dict[str, Any] = {role: Path(os.path.normpath(folder / cells[role])) for role in ROLES if cells.get(role)}
    return Pair(**files)

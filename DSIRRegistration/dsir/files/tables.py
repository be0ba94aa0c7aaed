"""Tables as people and spreadsheets write them: a heading, then a line for each thing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DsirError
from .atomic import write_text


class Line(NamedTuple):
    """One line of a table.

    Attributes:
        number: in the file, from 1.
        cells: name of the column to what stands there, without blanks around it; cells that are not there are left out.
        surplus: whether it has more cells than the heading.
    """

    number: int
    cells: dict[str, str]
    surplus: bool


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object] | Mapping[str, Any]]) -> None:
    """Write a CSV, whole or not at all: the heading, then each row in the order of the columns, or by their names."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([row[name] for name in columns] if isinstance(row, Mapping) else row for row in rows)
    write_text(path, text.getvalue())


def delimiter(line: str) -> str:
    """What stands between the cells of a line: commas, semicolons or tabs, whichever there are most of."""
    return max(",;\t", key=line.count)


def read_table(path: str | Path, what: str) -> tuple[tuple[str, ...], list[Line]]:
    """The names of the columns, and the lines that hold anything.

    Args:
        what: the file is, for the sentence: ``"The list of pairs"``.

    Raises:
        DsirError: it cannot be read, or is no table.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        heading = next((line for line in text.splitlines() if line.strip()), "")
        table = csv.DictReader(io.StringIO(text), delimiter=delimiter(heading), skipinitialspace=True)
        table.fieldnames = columns = tuple((name or "").strip() for name in table.fieldnames or ())
        lines = []
        for row in table:
            surplus = row.pop(None, None)
            cells = {name: value.strip() for name, value in row.items() if value is not None}
            if surplus is not None or any(cells.values()):
                lines.append(Line(table.line_num, cells, surplus is not None))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise DsirError(f"{what} {path} cannot be read.") from None
    return columns, lines

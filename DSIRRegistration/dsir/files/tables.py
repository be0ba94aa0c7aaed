"""Tables as people and spreadsheets write them: a heading, then a line for each thing."""

from __future__ import annotations

import csv
import io
import re
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
        comma: whether the table's numbers have a comma for their point.
    """

    number: int
    cells: dict[str, str]
    surplus: bool
    comma: bool = False

    def measure(self, column: str) -> float:
        """The number of a cell; a KeyError or ValueError where there is none."""
        return as_number(self.cells[column], comma=self.comma)


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object] | Mapping[str, Any]]) -> None:
    """Write a CSV, whole or not at all: the heading, then each row in the order of the columns, or by their names."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([row[name] for name in columns] if isinstance(row, Mapping) else row for row in rows)
    write_text(path, text.getvalue())


def delimiter(line: str) -> str:
    """What stands between the cells of a line: commas, semicolons or tabs, whichever there are most of; a comma within
    a number is none of them where there are others."""
    return max(",;\t", key=DECIMAL.sub("", line).count if re.search("[;\t]", line) else line.count)


DECIMAL = re.compile(r"(?<=\d),(?=\d)")
"""The comma of a number in half of the world."""


def has_decimal_commas(cells: Iterable[str], mark: str) -> bool:
    """Whether the numbers among cells have a comma for their point: between semicolons or tabs, where one has a comma
    and none a point (then commas may part thousands)."""
    numbers = [cell for cell in cells if re.fullmatch(r"[-+\d.,eE ]+", cell)]
    return mark != "," and any("," in number for number in numbers) and not any("." in number for number in numbers)


def as_number(cell: str, *, comma: bool = False) -> float:
    """The number in a cell; a ValueError where there is none."""
    if "_" in cell:  # Python's own sign between digits, which no spreadsheet has
        raise ValueError(cell)
    return float(DECIMAL.sub(".", cell) if comma and cell.count(",") == 1 else cell)


def text_of(path: str | Path) -> str:
    """A file's text: UTF-8, or Latin-1 as older spreadsheets write it.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it holds bytes of no text.
    """
    content = Path(path).read_bytes()
    try:
        return io.StringIO(content.decode("utf-8-sig"), newline=None).read()
    except UnicodeDecodeError:
        if b"\0" in content:
            raise
        return io.StringIO(content.decode("latin-1"), newline=None).read()


def read_table(path: str | Path, what: str) -> tuple[tuple[str, ...], list[Line]]:
    """The names of the columns, and the lines that hold anything.

    Args:
        what: the file is, for the sentence: ``"The list of pairs"``.

    Raises:
        DsirError: it cannot be read, or is no table.
    """
    try:
        text = text_of(path)
        heading = next((line for line in text.splitlines() if line.strip()), "")
        table = csv.DictReader(io.StringIO(text), delimiter=(mark := delimiter(heading)), skipinitialspace=True)
        table.fieldnames = columns = tuple((name or "").strip() for name in table.fieldnames or ())
        lines = []
        for row in table:
            surplus = row.pop(None, None)
            cells = {name: value.strip() for name, value in row.items() if value is not None}
            if surplus is not None or any(cells.values()):
                lines.append(Line(table.line_num, cells, surplus is not None))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise DsirError(f"{what} {path} cannot be read.") from None
    comma = has_decimal_commas((cell for line in lines for cell in line.cells.values()), mark)
    return columns, [line._replace(comma=comma) for line in lines]

"""``results.csv`` for programs, and for people a page: ``results.html`` of a batch, ``report.html`` of a series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...files.atomic import write_text
from ...files.tables import write_table
from .page import page
from .rows import Row

TABLE, PAGE, SERIES_PAGE = "results.csv", "results.html", "report.html"


def write_csv(out: Path, rows: Sequence[Row]) -> None:
    """``results.csv`` in ``out``, whole or not at all."""
    write_table(out / TABLE, list(Row.__dataclass_fields__), (each.to_json() for each in rows))


def write_page(out: Path, rows: Sequence[Row]) -> None:
    """``results.html`` in ``out``, whole or not at all."""
    write_text(out / PAGE, page(rows))


def write_series_page(out: Path, rows: Sequence[Row], heading: str, facts: Sequence[tuple[str, str]]) -> None:
    """``report.html`` in ``out``, whole or not at all: a series of scans onto one, in its order."""
    write_text(out / SERIES_PAGE, page(rows, heading, facts))

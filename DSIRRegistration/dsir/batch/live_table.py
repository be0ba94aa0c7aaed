"""The table of a batch while it grows: what is done stands in it even if the whole batch is killed a moment later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ..reports.batch.rows import Row
from ..reports.batch.table import write_csv, write_page

SHARE = 0.05
"""Of the batch's time that may go into its page: one of a thousand pairs takes a while to write, and is not written
after every one of them. The CSV always is."""


class LiveTable:
    """``results.csv`` and ``results.html`` in ``out``, each replaced as a whole."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._due = 0.0

    def write(self, rows: Sequence[Row], *, last: bool = False) -> None:
        """Write both; the page only where it is its turn, or for the last time."""
        write_csv(self._out, rows)
        if last or time.monotonic() >= self._due:
            began = time.monotonic()
            write_page(self._out, rows)
            ended = time.monotonic()
            self._due = ended + (ended - began) * (1 - SHARE) / SHARE

"""Standard streams that somebody closed lead to nowhere, instead of into the next file that is opened; letters that a
stream cannot hold (names in a console of another script) are spelled out."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress


def keep_streams_open() -> None:
    """Open the null device in the place of a standard stream that is closed (``2>&-``, some services and cron jobs).

    Otherwise the first file that is opened gets its number, and what a library prints goes into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, so this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # of a stream that was led elsewhere behind Python's back
                stream.reconfigure(errors="backslashreplace")

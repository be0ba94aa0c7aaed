"""Values of options: text in, a number out, or the reason why not."""

from __future__ import annotations

import argparse
import re


def count(text: str) -> int:
    """A whole number, zero or more."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of zero or more")
    return number


def mebibytes(text: str) -> int:
    """A size of memory such as 8GB, 8GiB or 6000MiB, in MiB."""
    found = re.fullmatch(r"\s*([0-9.]+)\s*(GB|GIB|MB|MIB)\s*", text.upper())
    try:
        if found is None:
            raise ValueError
        size = float(found[1]) * {"GB": 1e9, "GIB": 2**30, "MB": 1e6, "MIB": 2**20}[found[2]] / 2**20
    except (TypeError, ValueError):
        size = 0.0
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size of memory such as 8GB or 6000MiB")
    return int(size)


def millimetres(text: str) -> float:
    """A length above zero."""
    try:
        return above_zero(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length in mm above zero") from None


def above_zero(text: str) -> float:
    """A finite number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above zero")
    return number

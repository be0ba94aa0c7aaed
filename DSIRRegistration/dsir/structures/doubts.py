"""Which doubts about a registration are doubts about a structure: those of the whole, and those of where it lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..registration.findings import Finding

RIM = 10.0
"""mm around a structure that count as where it lies: a deformation that is off in one part fades into the next."""

OTHER_PERSON = Finding(
    "two_persons",
    "CHECK",
    "The scans are of two persons: they tell where an organ lies, and not that it has the other's shape.",
    {},
)
"""Of every contour that comes from another person: a cord of Dice 0.62 lay where it belonged within 0.7 mm by the
images, and was green (measured: Docs/measurements/propagation.md)."""


def reaching(doubts: Sequence[Finding], points: np.ndarray) -> list[Finding]:
    """The doubts that have no place, and those in whose places any of a structure's points lies, or nearly.

    Args:
        points: (N, 3) RAS mm, on the fixed scan.
    """
    return [doubt for doubt in doubts if doubt.places is None or doubt.places.reach(points, RIM)]

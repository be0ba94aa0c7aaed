"""The old plan's dose in every structure, on the old scan and on the new one, and what an error would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.image import Image
from ..metrics.dvh import Dvh, dvh
from ..shapes.structure import Structure

ERROR = 3.0
"""mm by which each structure is pushed along every axis for the band of uncertainty: the laxer end of what AAPM TG-132
tolerates of a registration's error (2 to 3 mm; Brock et al., Med Phys 44(7), 2017, Table III)."""

POINTS = 200
"""Of a curve."""

DIRECTIONS = np.array([[s if a == axis else 0 for a in range(3)] for axis in range(3) for s in (-1.0, 1.0)])


@dataclass(frozen=True, eq=False)
class DoseRow:
    """One structure's dose.

    Attributes:
        before: of the structure as drawn, on the old scan; None where nothing of it is left.
        after: of the propagated structure in the propagated dose.
        lowest, highest: its mean dose, the structure pushed aside by :data:`ERROR`: the extremes of its own place and
            six pushes.
        band: (2, POINTS) percent of volume: the envelope of these seven curves at :attr:`DoseTable.at`.
    """

    name: str
    colour: tuple[int, int, int]
    before: Dvh | None
    after: Dvh | None
    lowest: float | None = None
    highest: float | None = None
    band: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class DoseTable:
    """All structures.

    Attributes:
        at: (POINTS,) doses of the curves' points.
        unit: Gy, or percent for a relative dose.
    """

    rows: tuple[DoseRow, ...]
    at: np.ndarray
    unit: str


def dose_table(
    drawn: Sequence[Structure], dose: Image, carried: Sequence[Structure], view: Image, unit: str = "Gy"
) -> DoseTable:
    """Histograms of every structure before and after.

    Args:
        drawn, dose: on the moving scan.
        carried, view: on the fixed scan; structures are matched by name.
    """
    at = np.linspace(0.0, 1.02 * max(float(dose.data.max()), 1e-6), POINTS)
    after = {structure.name: structure for structure in carried}
    rows = tuple(_row(structure, dose, after.get(structure.name), view, at) for structure in drawn)
    return DoseTable(rows, at, unit)


def _row(drawn: Structure, dose: Image, carried: Structure | None, view: Image, at: np.ndarray) -> DoseRow:
    before = _of(drawn, dose)
    after = None if carried is None else _of(carried, view)
    if carried is None or after is None:
        return DoseRow(drawn.name, drawn.colour, before, None)
    pushed = [after, *(found for way in DIRECTIONS if (found := _of(carried, view, ERROR * way)) is not None)]
    means, curves = [found.mean for found in pushed], np.stack([found.curve(at) for found in pushed])
    band = np.stack([curves.min(0), curves.max(0)])
    return DoseRow(drawn.name, drawn.colour, before, after, min(means), max(means), band)


def _of(structure: Structure, dose: Image, shift: np.ndarray | None = None) -> Dvh | None:
    return dvh(structure.distance > 0, structure.lattice, dose, shift=shift)

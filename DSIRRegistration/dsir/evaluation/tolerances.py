"""How far a registration may be from the truth, and who says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

TG132 = (
    "AAPM TG-132 (Brock et al., Med Phys 44(7), e43-e76, 2017, doi 10.1002/mp.12256): rigid within half a voxel, "
    "deformable at most 5 mm off; as quoted by Latifi et al., J Appl Clin Med Phys 19(4), 125-133, 2018"
)
STRICTER = "ours: TG-132 asks for a mean of at most 2 mm (quoted as above), here 95 % of the voxels lie within 2 mm"
OURS = "ours: no tolerance of TG-132 for such a trial is known to us, so those of the others were taken"

Figure = Literal["axis", "p95", "largest"]


@dataclass(frozen=True)
class Errors:
    """Distances between where voxels were sent and where they belong, mm.

    Attributes:
        mean, p95, largest: of the distances; 95 % of the voxels lie within ``p95``.
        axis: the largest component along an axis of the grid; how we read "within half a voxel".
        count: voxels.
    """

    mean: float
    p95: float
    largest: float
    axis: float
    count: int

    @staticmethod
    def of(found: np.ndarray, truth: np.ndarray, directions: np.ndarray) -> Errors:
        """Args:
        found, truth: (N, 3) RAS mm.
        directions: (3, 3) unit vectors of the grid's axes, as columns.
        """
        missed = found - truth
        lengths = np.linalg.norm(missed, axis=1)
        mean, p95, largest = float(lengths.mean()), float(np.quantile(lengths, 0.95)), float(lengths.max())
        return Errors(mean, p95, largest, float(np.abs(missed @ directions).max()), len(lengths))


@dataclass(frozen=True)
class Tolerance:
    """A limit on one figure.

    Attributes:
        figure: which of :class:`Errors`.
        limit: mm; what is equal to it meets it.
        source: who says so.
    """

    figure: Figure
    limit: float
    source: str

    def met(self, errors: Errors) -> bool:
        """Whether the figure stays within the limit; one that is not a number does not."""
        return bool(asdict(errors)[self.figure] <= self.limit)

    def used(self, errors: Errors) -> float:
        """The figure as a share of the limit: above 1 where it is not met."""
        return float(asdict(errors)[self.figure] / self.limit)


def rigid_tolerances(spacing: float, source: str = TG132) -> tuple[Tolerance, ...]:
    """Half a voxel along every axis, for a motion without a deformation."""
    return (Tolerance("axis", spacing / 2, source),)


def deformable_tolerances(source: str = TG132) -> tuple[Tolerance, ...]:
    """95 % of the voxels within 2 mm, none more than 5 mm off."""
    stricter = STRICTER if source == TG132 else source
    return Tolerance("p95", 2.0, stricter), Tolerance("largest", 5.0, source)

"""Pairs of points that a person (or an accepted match) says belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DsirError
from ..geometry.plausible import plausible
from .atomic import write_text
from .tables import read_table

TOLERANCE = 2.0
"""mm; how exactly a person clicks."""

COLUMNS = ("fx", "fy", "fz", "mx", "my", "mz")
OPTIONAL = {"tolerance": TOLERANCE, "confidence": 1.0}


@dataclass(frozen=True, eq=False)
class LandmarkPairs:
    """N pairs, soft constraints of a registration.

    Attributes:
        fixed: (N, 3) RAS mm.
        moving: (N, 3) RAS mm, row by row the same places in the moving image.
        tolerance: (N,) mm; a pair this close is close enough.
        confidence: (N,) 0..1; the weight of a pair.

    Raises:
        DsirError: the arrays do not fit each other, or hold impossible numbers.
    """

    fixed: np.ndarray
    moving: np.ndarray
    tolerance: np.ndarray
    confidence: np.ndarray

    def __post_init__(self) -> None:
        fixed, moving = (np.array(p, dtype=np.float64).reshape(-1, 3) for p in (self.fixed, self.moving))
        tolerance, confidence = (np.array(v, dtype=np.float64).reshape(-1) for v in (self.tolerance, self.confidence))
        if not len(fixed) == len(moving) == len(tolerance) == len(confidence):
            raise DsirError(f"{len(fixed)} points in the fixed image and {len(moving)} in the moving one are no pairs.")
        if not (plausible(fixed) and plausible(moving) and np.isfinite([*tolerance, *confidence]).all()):
            raise DsirError(
                "The landmark pairs hold numbers that are not finite, or places more than a kilometre away."
            )
        if (tolerance <= 0).any() or (confidence < 0).any() or (confidence > 1).any():
            raise DsirError("A landmark's tolerance must be above 0 mm and its confidence between 0 and 1.")
        for name, values in zip(
            ("fixed", "moving", "tolerance", "confidence"), (fixed, moving, tolerance, confidence), strict=True
        ):
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.fixed)

    @staticmethod
    def none() -> LandmarkPairs:
        """No pairs."""
        return LandmarkPairs(np.empty((0, 3)), np.empty((0, 3)), np.empty(0), np.empty(0))

    def with_pair(
        self, fixed: np.ndarray, moving: np.ndarray, *, tolerance: float = TOLERANCE, confidence: float = 1.0
    ) -> LandmarkPairs:
        """These pairs and one more."""
        return LandmarkPairs(
            np.vstack([self.fixed, fixed]),
            np.vstack([self.moving, moving]),
            np.append(self.tolerance, tolerance),
            np.append(self.confidence, confidence),
        )

    def without(self, number: int) -> LandmarkPairs:
        """These pairs but one."""
        keep = np.arange(len(self)) != number
        return LandmarkPairs(self.fixed[keep], self.moving[keep], self.tolerance[keep], self.confidence[keep])


def read_landmarks(path: str | Path) -> LandmarkPairs:
    """Read a CSV with the columns ``fx,fy,fz,mx,my,mz`` (RAS mm) and, where known, ``tolerance`` (mm) and
    ``confidence`` (0 to 1); other columns are passed over.

    Raises:
        DsirError: missing, other columns, or no numbers.
    """
    columns, lines = read_table(path, "The landmark file")
    if not lines:
        raise DsirError(f"{path} holds no landmark pairs.")
    if any(line.surplus for line in lines):
        raise DsirError(f"{path} has a line with more cells than its heading; are there commas within numbers?")
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise DsirError(f"{path} has no column {', '.join(missing)}; landmark pairs need {','.join(COLUMNS)} (RAS mm).")
    try:
        values = np.array([[line.measure(name) for name in COLUMNS] for line in lines])
        extra = {
            name: np.array([line.measure(name) if line.cells.get(name) else usual for line in lines])
            for name, usual in OPTIONAL.items()
        }
    except (ValueError, KeyError):
        raise DsirError(f"{path} has a line without six numbers.") from None
    try:
        return LandmarkPairs(values[:, :3], values[:, 3:], **extra)
    except DsirError as error:
        raise DsirError(f"{path}: {error}") from None


def write_landmarks(path: str | Path, pairs: LandmarkPairs) -> None:
    """Write what :func:`read_landmarks` reads."""
    table = np.column_stack([pairs.fixed, pairs.moving, pairs.tolerance, pairs.confidence])
    lines = [",".join((*COLUMNS, *OPTIONAL)), *(",".join(f"{value:.4f}" for value in row) for row in table)]
    write_text(path, "\n".join(lines) + "\n")

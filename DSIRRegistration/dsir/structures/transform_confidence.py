"""What the images say of a transform, as the verdicts on its contours read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.sampling import sample


@dataclass(frozen=True, eq=False)
class TransformConfidence:
    """Maps in fixed space; NaN where the images say nothing.

    Attributes:
        confidence: the chance, 0 to 1, that the transform is within 4 mm of the truth.
        away: mm between where the transform and where the images' best match put a voxel; None where it is not known,
            as of a confidence that was read from a file.
    """

    confidence: Image
    away: Image | None = None

    def inside(self, points: np.ndarray) -> dict[str, float]:
        """Figures over RAS points (N, 3), by the names of :class:`.measures.Measures`; empty where nothing is said."""
        sure = _values(self.confidence, points)
        if not len(sure):
            return {}
        found = {"confidence_mean": float(sure.mean()), "confidence_low": float(np.percentile(sure, 5))}
        if self.away is not None:
            found["away_mm"] = float(_values(self.away, points).mean())
        return found


def _values(image: Image, points: np.ndarray) -> np.ndarray:
    """The numbers at those points (N, 3) that the map reaches."""
    there = points[image.lattice.contains(points)]
    index = torch.from_numpy(image.lattice.to_index(there).T.reshape(3, -1)).float()
    values = sample(image.data[None], index, mode="nearest")[0].numpy()
    return values[np.isfinite(values)]

"""Places of the fixed scan: a doubt that holds in some of them does not hold in the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..geometry.lattice import Lattice


@dataclass(frozen=True, eq=False)
class Places:
    """Boxes along a scan's axes, and what is said of all that lies in one of them.

    Attributes:
        words: one sentence of a structure: "It lies where ...".
        corners: (N, 3) RAS mm, one of each box.
        edges: (N, 3, 3) RAS mm, three of each box from there, as rows.
    """

    words: str
    corners: np.ndarray
    edges: np.ndarray

    @staticmethod
    def between(words: str, lattice: Lattice, low: np.ndarray, high: np.ndarray) -> Places:
        """Boxes from voxel indices ``low`` (N, 3) to ``high`` (N, 3) of a lattice."""
        return Places(words, lattice.to_world(low), (high - low)[:, :, None] * lattice.affine[:3, :3].T)

    def reach(self, points: np.ndarray, rim: float = 0.0) -> bool:
        """Whether any of RAS points (P, 3) lies in a box, or within ``rim`` mm of it along its axes."""
        for corner, edges in zip(self.corners, self.edges, strict=True):
            lengths = np.linalg.norm(edges, axis=1)
            along = (points - corner) @ (edges / lengths[:, None]).T
            if ((along >= -rim) & (along <= lengths + rim)).all(axis=1).any():
                return True
        return False

    def scaled(self, factor: float) -> Places:
        """In a scan that is so many times as large."""
        return Places(self.words, factor * self.corners, factor * self.edges)

    def to_json(self) -> dict[str, Any]:
        """For the report; tenths of a mm."""
        boxes = zip(self.corners.round(1).tolist(), self.edges.round(1).tolist(), strict=True)
        return {"words": self.words, "boxes": [{"corner_mm": corner, "edges_mm": edges} for corner, edges in boxes]}

    @staticmethod
    def of_json(told: Mapping[str, Any]) -> Places:
        """Read what :meth:`to_json` wrote.

        Raises:
            TypeError, ValueError, KeyError: it is of another kind.
        """
        corners, edges = ([box[name] for box in told["boxes"]] for name in ("corner_mm", "edges_mm"))
        return Places(
            str(told["words"]), np.array(corners, float).reshape(-1, 3), np.array(edges, float).reshape(-1, 3, 3)
        )

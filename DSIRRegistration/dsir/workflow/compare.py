"""Two registrations of one pair, point by point: where they differ, by how much, in which structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import DsirError
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.sampling import affine_grid, sample
from ..transforms.composite import Transform


@dataclass(frozen=True)
class Difference:
    """How far apart two registrations put the points of one region.

    Attributes:
        name: of the region.
        voxels: of the fixed grid in it.
        mean, median, p95, largest: mm.
        systematic: (3,) RAS mm: the mean difference vector, second registration less the first.
    """

    name: str
    voxels: int
    mean: float
    median: float
    p95: float
    largest: float
    systematic: tuple[float, float, float]

    def to_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "name": self.name, "voxels": self.voxels, "mean_mm": self.mean, "median_mm": self.median,
            "p95_mm": self.p95, "largest_mm": self.largest, "systematic_mm": list(self.systematic),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both registrations on the fixed grid.

    Attributes:
        length: (I, J, K) mm between the two places of each fixed point.
        body: (I, J, K) bool on the fixed grid.
        regions: the body first, then each structure.
    """

    length: Image
    body: torch.Tensor
    regions: tuple[Difference, ...]


def transform_file(given: Path) -> Path:
    """The transform in a result folder, or the file itself.

    Raises:
        DsirError: there is none.
    """
    path = given / "transform.h5" if given.is_dir() else given
    if not path.exists():
        raise DsirError(f"{path} does not exist." if not given.is_dir() else f"{given} holds no transform.h5.")
    return path


def compare(
    first: Transform,
    second: Transform,
    fixed: Image,
    labels: tuple[torch.Tensor, Lattice] | None = None,
    names: Mapping[int, str] | None = None,
) -> Comparison:
    """Difference of two fixed-to-moving transforms at the voxels of the fixed scan.

    Args:
        labels: (I, J, K) label map and its lattice, for a line a structure.
        names: of its values.

    Raises:
        DsirError: the label map lies outside the fixed scan.
    """
    vectors = second.displacement(fixed.lattice).vectors - first.displacement(fixed.lattice).vectors
    body = body_mask(fixed)
    regions = {"body": body}
    if labels is not None:
        values, lattice = labels
        if not lattice.matches(fixed.lattice):
            index = affine_grid(fixed.lattice, lattice)
            values = sample(values[None].float(), index, mode="nearest", padding="zeros")[0].round().int()
        there = [int(v) for v in values.unique() if v > 0]
        if not there:
            raise DsirError("The label map holds nothing within the fixed scan.")
        regions |= {(names or {}).get(value, f"label {value}"): values == value for value in there}
    found = tuple(_difference(name, mask, vectors) for name, mask in regions.items())
    return Comparison(Image(vectors.norm(dim=0), fixed.lattice), body, found)


def _difference(name: str, mask: torch.Tensor, vectors: torch.Tensor) -> Difference:
    inside = vectors[:, mask].double().numpy()
    length = np.linalg.norm(inside, axis=0)
    x, y, z = (float(v) for v in inside.mean(1))
    return Difference(
        name,
        int(length.size),
        float(length.mean()),
        float(np.median(length)),
        float(np.percentile(length, 95)),
        float(length.max()),
        (x, y, z),
    )

"""Dose-volume histograms: how much of a structure gets how much dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.sampling import sample

FEW = 6_000
"""Voxels below which a structure is sampled at several points of each voxel (up to 4 x 4 x 4), so that its curve has no
steps."""


@dataclass(frozen=True, eq=False)
class Dvh:
    """Of one structure.

    Attributes:
        volume: cm3.
        doses: (N,) at points that stand for equal volumes, ascending, in the dose's unit.
        outside: share of the structure that lies outside the dose grid; counted as no dose.
    """

    volume: float
    doses: np.ndarray
    outside: float

    @property
    def mean(self) -> float:
        """Mean dose."""
        return float(self.doses.mean())

    @property
    def least(self) -> float:
        """Smallest dose at any point."""
        return float(self.doses[0])

    @property
    def most(self) -> float:
        """Largest dose at any point."""
        return float(self.doses[-1])

    def dose_to(self, percent: float) -> float:
        """D95 and the like: the dose that so many percent of the volume get at least."""
        return float(np.quantile(self.doses, 1 - percent / 100, method="lower"))

    def volume_above(self, dose: float) -> float:
        """V20 and the like: percent of the volume that get this dose or more."""
        return 100.0 * float((self.doses >= dose).mean())

    def curve(self, at: np.ndarray) -> np.ndarray:
        """Cumulative: percent of the volume that get each of these doses or more."""
        return 100.0 * (1.0 - np.searchsorted(self.doses, at, side="left") / len(self.doses))


def dvh(mask: torch.Tensor, lattice: Lattice, dose: Image, *, shift: np.ndarray | None = None) -> Dvh | None:
    """The histogram of a structure; None for an empty one.

    Args:
        mask: (I, J, K) bool on ``lattice``.
        dose: on its own grid; trilinear between its voxels, nothing outside.
        shift: (3,) RAS mm by which the structure is moved first, to see what an error would do.
    """
    index = mask.nonzero().T.float()
    count = index.shape[1]
    if not count:
        return None
    volume = count * float(np.abs(np.linalg.det(lattice.affine[:3, :3]))) / 1000
    parts = min(4, max(1, int(np.ceil((FEW / count) ** (1 / 3)))))
    steps = (torch.arange(parts) + 0.5) / parts - 0.5
    offsets = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, 1, -1)
    points = (index[:, :, None] + offsets).reshape(3, -1)
    world = lattice.to_world(points.T.double().numpy())
    if shift is not None:
        world = world + np.asarray(shift, dtype=float)
    there = torch.as_tensor(dose.lattice.to_index(world).T, dtype=torch.float32)
    inside = dose.lattice.contains(world)
    values = sample(dose.data[None].float(), there, padding="border")[0].numpy()
    return Dvh(volume, np.sort(np.where(inside, values, 0.0)), float(1 - inside.mean()))

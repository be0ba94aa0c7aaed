"""Pairs of points as soft constraints: what a person knows pulls on the field, as hard as the person is sure.

A pair gives the linear stage a start, the discrete stage a smooth field to search around, and each step of the descent
a spring around its place. Within its tolerance a pair pulls no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..warp.points import moving_to_fixed
from .normal import NormalEquations
from .regularity import composed, remove_folds, safe_step
from .solver import Stiffness, step

REACH = 8.0
"""mm; standard deviation of the neighbourhood that a pair takes along."""

PULL = 20.0
"""Curvature of a sure pair's spring, in units of the mean curvature of the descriptors."""


class Pairs(Protocol):
    """N pairs: (N, 3) RAS mm in fixed and in moving, (N,) tolerance in mm, (N,) confidence 0..1."""

    @property
    def fixed(self) -> np.ndarray: ...

    @property
    def moving(self) -> np.ndarray: ...

    @property
    def tolerance(self) -> np.ndarray: ...

    @property
    def confidence(self) -> np.ndarray: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class LandmarkForces:
    """Pairs as seen from a frame in fixed space.

    Attributes:
        fixed: (N, 3) RAS mm, where each spring is attached.
        target: (N, 3) RAS mm, the displacement it wants there.
        tolerance: (N,) mm.
        weight: (N,).
    """

    fixed: np.ndarray
    target: np.ndarray
    tolerance: np.ndarray
    weight: np.ndarray

    @staticmethod
    def from_pairs(pairs: Pairs | None, pose: Transform) -> LandmarkForces | None:
        """The displacement still wanted once ``pose`` (fixed to moving) is applied after it; None without pairs."""
        if pairs is None or len(pairs) == 0:
            return None
        target = moving_to_fixed(pose, pairs.moving)[0] - pairs.fixed
        return LandmarkForces(pairs.fixed, target, pairs.tolerance, pairs.confidence)

    def only(self, kept: np.ndarray) -> LandmarkForces | None:
        """Those of a (N,) bool mask; None where none is left."""
        parts = (self.fixed, self.target, self.tolerance, self.weight)
        return LandmarkForces(*(part[kept] for part in parts)) if kept.any() else None

    def pulling(
        self, equations: NormalEquations, u: torch.Tensor, lattice: Lattice, weight: torch.Tensor
    ) -> NormalEquations:
        """The normal equations with the forces' own curvature and pull added.

        Args:
            u: (3, I, J, K) voxels of ``lattice``, the displacement so far.
            weight: (I, J, K) the weight the equations were made with.
        """
        unit = float(equations.matrix[:3].sum() / 3 / weight.sum().clamp(min=1e-6)) or 1.0
        matrix, right = equations.matrix.clone(), equations.right.clone()
        spacing = float(lattice.spacing[0])
        field = DisplacementField.from_index(u, lattice)
        missing = self.target - field.at(self.fixed)
        length = np.linalg.norm(missing, axis=1)
        missing *= np.clip(1 - self.tolerance / np.maximum(length, 1e-9), 0, None)[:, None]
        pull = missing @ lattice.directions / spacing  # mm in RAS to voxels along the lattice's axes
        for centre, force, sure in zip(lattice.to_index(self.fixed), pull, self.weight, strict=True):
            box = [slice(max(0, int(c - 3 * REACH / spacing)), int(c + 3 * REACH / spacing) + 2) for c in centre]
            axes = [
                torch.exp(-0.5 * ((torch.arange(n, dtype=torch.float32)[s] - c) * spacing / REACH) ** 2)
                for n, s, c in zip(u.shape[1:], box, centre, strict=True)
            ]
            if min(len(a) for a in axes) == 0:
                continue  # beyond the lattice nothing can be pulled
            stiffness = PULL * unit * float(sure) * axes[0][:, None, None] * axes[1][:, None] * axes[2]
            at = (slice(None), *box)
            matrix[at][:3] += stiffness
            right[at] += stiffness * torch.as_tensor(force, dtype=torch.float32).view(3, 1, 1, 1)
        return replace(equations, matrix=matrix, right=right)

    def smooth_field(self, lattice: Lattice, iterations: int = 4) -> DisplacementField:
        """The smoothest field that follows the forces, where the images have not been asked yet."""
        shape = lattice.shape
        nothing = NormalEquations(torch.zeros(6, *shape), torch.zeros(3, *shape), 0.0, 1.0)
        ones, u = torch.ones(shape), torch.zeros(3, *shape)
        for _ in range(iterations):
            equations = self.pulling(nothing, u, lattice, ones)
            d = step(equations, u, ones, Stiffness(bending=0.3, anchor=0.0, control=1, iterations=60))
            u = composed(u, safe_step(d, radius=8.0))
        return DisplacementField.from_index(remove_folds(u)[0], lattice)

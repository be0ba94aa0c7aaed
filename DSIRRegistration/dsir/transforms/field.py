"""Displacement fields: RAS millimetres on a lattice, from fixed to moving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.lattice import Lattice
from ..geometry.sampling import affine_grid, sample


@dataclass(frozen=True, eq=False)
class DisplacementField:
    """Where each fixed point lies in the moving image.

    Attributes:
        vectors: (3, I, J, K) float32; u(x) in RAS mm at the voxels of ``lattice``. The fixed point x lies at x + u(x)
            in the moving image.
        lattice: the fixed-space lattice. Outside it the edge displacement continues (as VTK and Slicer do).
    """

    vectors: torch.Tensor
    lattice: Lattice

    def __post_init__(self) -> None:
        if tuple(self.vectors.shape) != (3, *self.lattice.shape):
            raise ValueError(f"vectors {tuple(self.vectors.shape)} do not fit the lattice {self.lattice.shape}")

    @staticmethod
    def identity(lattice: Lattice) -> DisplacementField:
        """The field that moves nothing."""
        return DisplacementField(torch.zeros(3, *lattice.shape), lattice)

    @staticmethod
    def from_affine(world: np.ndarray, lattice: Lattice) -> DisplacementField:
        """The displacement of a (4, 4) RAS-to-RAS affine (fixed to moving) at the voxels of ``lattice``."""
        world = np.asarray(world, dtype=np.float64)
        moved = world @ lattice.affine - lattice.affine  # displacement as an affine function of the voxel index
        identity = Lattice(lattice.shape, np.eye(4))
        return DisplacementField(affine_grid(identity, identity, moved), lattice)

    @staticmethod
    def from_index(displacement: torch.Tensor, lattice: Lattice) -> DisplacementField:
        """A displacement in voxels along the lattice's own axes (3, I, J, K) as RAS mm."""
        matrix = torch.tensor(lattice.affine[:3, :3], dtype=displacement.dtype, device=displacement.device)
        return DisplacementField(torch.einsum("rc,cijk->rijk", matrix, displacement), lattice)

    def to_index(self) -> torch.Tensor:
        """(3, I, J, K) the displacement in voxels along the lattice's own axes."""
        inverse = np.linalg.inv(self.lattice.affine[:3, :3])
        matrix = torch.as_tensor(inverse, dtype=self.vectors.dtype, device=self.vectors.device)
        return torch.einsum("rc,cijk->rijk", matrix, self.vectors)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Displacement (N, 3) in RAS mm at RAS points (N, 3), trilinear, edge value outside."""
        index = torch.as_tensor(self.lattice.to_index(points).T, dtype=torch.float32)
        return sample(self.vectors.cpu(), index, padding="border").T.double().numpy()

    def transform_points(self, points: np.ndarray) -> np.ndarray:
        """Fixed RAS points (N, 3) to where they lie in the moving image (N, 3)."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        return points + self.at(points)

    def on(self, target: Lattice) -> DisplacementField:
        """The same mapping read at the voxels of another lattice (trilinear, edge value outside)."""
        if self.lattice.matches(target):
            return self
        out = torch.empty(3, *target.shape)
        rows = max(1, 2_000_000 // (target.shape[1] * target.shape[2]))
        for start in range(0, target.shape[0], rows):
            slab = slice(start, min(start + rows, target.shape[0]))
            out[:, slab] = sample(self.vectors, affine_grid(target, self.lattice, slab=slab), padding="border")
        return DisplacementField(out, target)

    def after(self, first: DisplacementField) -> DisplacementField:
        """The mapping x -> self(first(x)), on the lattice of ``first``."""
        index = moved_index(first, self.lattice)
        return DisplacementField(first.vectors + sample(self.vectors, index, padding="border"), first.lattice)


def moved_index(field: DisplacementField, target: Lattice) -> torch.Tensor:
    """(3, I, J, K) voxel indices in ``target`` of the points x + u(x) for the voxels x of the field's lattice."""
    base = affine_grid(field.lattice, target, device=field.vectors.device)
    inverse = torch.as_tensor(np.linalg.inv(target.affine[:3, :3]), dtype=torch.float32, device=field.vectors.device)
    return base + torch.einsum("rc,cijk->rijk", inverse, field.vectors)

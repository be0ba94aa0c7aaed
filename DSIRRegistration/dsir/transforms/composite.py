"""Mappings from fixed to moving space, as chains of simple parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import TransformError
from ..geometry.lattice import Lattice
from .field import DisplacementField
from .inversion import invert_field
from .linear import Linear

SLAB = 2_000_000
"""Voxels mapped at a time: what one part of the chain hands to the next is three times a volume."""


@dataclass(frozen=True, eq=False)
class Transform:
    """A chain of mappings; ``parts[0]`` meets the point first.

    Registration gives ``(residual field, linear, initial)``: the fixed point x lies at initial(linear(x + r(x))).
    """

    parts: tuple[Linear | DisplacementField, ...] = ()

    def transform_points(self, points: np.ndarray) -> np.ndarray:
        """Fixed RAS points (N, 3) to where they lie in the moving image (N, 3)."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        for part in self.parts:
            points = part.transform_points(points)
        return points

    def then(self, part: Linear | DisplacementField) -> Transform:
        """This chain, followed by one more part."""
        return Transform((*self.parts, part))

    def displacement(self, lattice: Lattice) -> DisplacementField:
        """The whole mapping as one field u(x) at the voxels of ``lattice``, RAS mm; made slab by slab."""
        planes = max(1, SLAB // (lattice.shape[1] * lattice.shape[2]))
        if lattice.shape[0] > planes:
            vectors = torch.empty(3, *lattice.shape)
            for start in range(0, lattice.shape[0], planes):
                rows = min(planes, lattice.shape[0] - start)
                window = lattice.window(np.array([start, 0, 0]), (rows, *lattice.shape[1:]))
                vectors[:, start : start + rows] = self.displacement(window).vectors
            return DisplacementField(vectors, lattice)
        total = DisplacementField.identity(lattice)
        for part in self.parts:
            total = _then_linear(total, part) if isinstance(part, Linear) else part.after(total)
        return total

    def inverse(self, lattice: Lattice) -> Transform:
        """The mapping from moving to fixed; fields are inverted on ``lattice`` (in moving space), the rest exactly.

        A field in the middle of a chain lives in a space of its own, so everything up to the last field is inverted as
        one field; linear parts after it stay matrices, which keeps the inverse exact outside the lattice too.
        """
        if self.parts and isinstance(self.parts[0], Linear):  # exact, and the first field keeps its own lattice
            return Transform((*Transform(self.parts[1:]).inverse(lattice).parts, self.parts[0].inverse()))
        last_field = max((n for n, part in enumerate(self.parts) if isinstance(part, DisplacementField)), default=-1)
        tail = self.parts[last_field + 1 :]
        back = [part.inverse() for part in reversed(tail) if isinstance(part, Linear)]
        if last_field < 0:
            return Transform(tuple(back))
        head = Transform(self.parts[: last_field + 1])
        bounds = Transform(tuple(back)).transform_points(lattice.corners())  # before the tail
        field = head.as_one_field()
        reach = field.lattice.covering(np.concatenate([bounds, field.lattice.corners()]))
        return Transform((*back, invert_field(field, reach)))

    def as_one_field(self) -> DisplacementField:
        """A chain that begins with a field, as one field on that one's lattice.

        Raises:
            TransformError: it begins with something else.
        """
        first = self.parts[0] if self.parts else None
        if not isinstance(first, DisplacementField):
            raise TransformError("The transform does not begin with a displacement field.")
        return first if len(self.parts) == 1 else self.displacement(first.lattice)


def linear_matrix(transform: Transform) -> np.ndarray | None:
    """(4, 4) of a transform that has only linear parts; None when it has a field."""
    matrix = np.eye(4)
    for part in transform.parts:
        if not isinstance(part, Linear):
            return None
        matrix = part.matrix @ matrix
    return matrix


def _then_linear(field: DisplacementField, linear: Linear) -> DisplacementField:
    """x -> A (x + u) as a displacement: A u + (A - 1) x."""
    moved = DisplacementField.from_affine(linear.matrix, field.lattice)
    if not field.vectors.any():
        return moved

    matrix = torch.tensor(linear.matrix[:3, :3], dtype=torch.float32)
    return DisplacementField(moved.vectors + torch.einsum("rc,cijk->rijk", matrix, field.vectors), field.lattice)

"""An image made ready to be read in many poses: blurred for a spacing once, and cut to its body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.occupied import occupied_box
from ..geometry.sampling import affine_grid, gaussian_blur, sample, thinned
from ..transforms.composite import Transform, linear_matrix
from ..transforms.field import DisplacementField, moved_index

PLANES = 500_000
"""Voxels resampled at a time."""


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """An image made ready to be read in many poses at one spacing: blurred for it once, and cut to its body.

    Attributes:
        values, mask: (I, J, K) float on ``lattice``, the body's box and a margin.
        lattice: where they lie.
        whole: the image's own lattice, whose edges are those of the field of view.
    """

    values: torch.Tensor
    mask: torch.Tensor
    lattice: Lattice
    whole: Lattice

    @staticmethod
    def of(image: Image, mask: torch.Tensor, spacing: float) -> PreparedImage:
        """``mask``: bool, on the image's lattice; ``spacing``: mm of the lattices it will be read at."""
        start, shape = occupied_box(mask, 6 * spacing / image.lattice.spacing, image.lattice.shape)
        box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
        window = image.lattice.window(start, shape)
        values, lattice, sigmas = thinned(image.data[box][None], window, spacing)
        inside, _, _ = thinned(mask[box][None], window, spacing)
        both = gaussian_blur(torch.cat([values.float(), inside.float()]), sigmas)
        return PreparedImage(both[0], both[1], lattice, image.lattice)

    def on(self, lattice: Lattice, transform: Transform) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, mask (0..1) and field of view (0 or 1) at the voxels of ``lattice``, through ``transform``.

        Beyond the field of view the edge voxel is repeated, so that no false edge is described there.
        """
        values, inside, reach = (torch.empty(lattice.shape) for _ in range(3))
        matrix = linear_matrix(transform)
        field = None if matrix is not None else transform.displacement(lattice)
        scale = torch.tensor(self.lattice.spacing / self.whole.spacing, dtype=torch.float32).view(3, 1, 1, 1)
        shift = torch.tensor(self.whole.to_index(self.lattice.origin), dtype=torch.float32).view(3, 1, 1, 1)
        size = torch.tensor(self.whole.shape, dtype=torch.float32).view(3, 1, 1, 1) - 0.5
        source = torch.stack([self.values, self.mask])
        planes = max(1, PLANES // (lattice.shape[1] * lattice.shape[2]))
        for start in range(0, lattice.shape[0], planes):
            slab = slice(start, min(start + planes, lattice.shape[0]))
            if field is None:
                index = affine_grid(lattice, self.lattice, matrix, slab=slab)
            else:
                window = lattice.window(np.array([start, 0, 0]), (slab.stop - start, *lattice.shape[1:]))
                index = moved_index(DisplacementField(field.vectors[:, slab], window), self.lattice)
            values[slab], inside[slab] = sample(source, index, padding="border")
            index.mul_(scale).add_(shift)
            reach[slab] = ((index > -0.5) & (index < size)).all(0)
        return values, inside.mul_(reach), reach

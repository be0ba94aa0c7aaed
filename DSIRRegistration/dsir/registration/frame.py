"""The frame a stage works in: isotropic lattices along the fixed image's axes, and the moving image pulled into them.

Descriptors compare neighbours along index axes, so both images must be described in one orientation: the moving image
is read through the current transform onto a lattice parallel to the fixed one, and the lattice may reach further than
the fixed one, so that structures just beyond its border can still be found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..features.descriptor import Descriptor
from ..features.extraction import as_ras
from ..features.extraction import describe as describe_volume
from ..field import DisplacementField, moved_index
from ..image import Image
from ..lattice import Lattice
from ..sampling import resample, sample
from ..transform import Linear, Transform

PIECE = 5_000_000
"""Voxels described in one go: what keeps a 160^3 volume within 3 GB (Testing/benchmarks/size.py)."""


@dataclass(frozen=True, eq=False)
class Described:
    """An image as descriptors.

    Attributes:
        features: (C, I, J, K) unit vectors, zero outside ``mask`` and a rim; float16 on the working lattice, since they
            are the largest thing in memory (rounding: 5e-4), float32 once averaged.
        mask: (I, J, K) float in 0..1: the body (or the region asked for), within the field of view.
        reach: (I, J, K) float in 0..1: the field of view.
        lattice: isotropic.
    """

    features: torch.Tensor
    mask: torch.Tensor
    reach: torch.Tensor
    lattice: Lattice

    def on(self, spacing: float) -> Described:
        """Averaged onto a coarser lattice of the same box (``spacing`` in mm)."""
        if spacing <= self.lattice.spacing[0] * 1.01:
            return self
        return self.onto(self.lattice.with_spacing(spacing))

    def onto(self, target: Lattice, through: DisplacementField | None = None) -> Described:
        """Averaged onto another lattice; zero where that reaches beyond this one.

        Args:
            through: a displacement (target space to this space) that is followed on the way.
        """
        pooled, lattice = block_means(self.features, self.lattice, target)
        masks, _ = block_means(torch.stack([self.mask, self.reach]), self.lattice, target)
        pooled = torch.cat([pooled, masks])
        if through is None and lattice.matches(target):
            values = pooled
        else:
            through = through or DisplacementField.identity(target)
            values = sample(pooled, moved_index(through.on(target), lattice))
        return Described(values[:-2], values[-2], (values[-1] > 0.5).float(), target)


def block_means(values: torch.Tensor, lattice: Lattice, target: Lattice) -> tuple[torch.Tensor, Lattice]:
    """(C, I, J, K) averaged over blocks of as many voxels as fit into one of the target's; and where they lie."""
    block = max(1, int(target.spacing[0] / lattice.spacing[0] + 0.01))
    if block == 1:
        return values.float(), lattice
    pads = [(-n) % block for n in lattice.shape]
    # A few channels at a time: the float32 copy of all of them would be larger than all else.
    pooled = torch.cat(
        [
            torch.nn.functional.avg_pool3d(
                torch.nn.functional.pad(part.float(), (0, pads[2], 0, pads[1], 0, pads[0])), block
            )
            for part in values.split(4)
        ]
    )
    affine = lattice.affine.copy()
    affine[:3, 3] = lattice.to_world(np.full(3, (block - 1) / 2))
    affine[:3, :3] *= block
    return pooled, Lattice(tuple(pooled.shape[1:]), affine)


def working_lattice(image: Image, mask: torch.Tensor, *, spacing: float, margin: float) -> Lattice:
    """The isotropic lattice along the image's axes that covers its mask, ``margin`` mm around it, within the image.

    Its axes run to the right, front and top as nearly as the image's own allow: a trained network knows up from down.
    """
    occupied = torch.nonzero(mask)
    low = occupied.amin(0).numpy() - margin / image.lattice.spacing
    high = occupied.amax(0).numpy() + margin / image.lattice.spacing
    start = np.clip(np.floor(low), 0, None).astype(int)
    stop = np.minimum(np.ceil(high).astype(int) + 1, image.lattice.shape)
    return as_ras(image.lattice.window(start, tuple(int(n) for n in stop - start))).with_spacing(spacing)


def widened(lattice: Lattice, mm: float, bounds: np.ndarray | None = None) -> Lattice:
    """The same voxels and up to ``mm`` more on each side, no further than ``bounds`` ((N, 3) RAS points) ask for."""
    voxels = int(np.ceil(mm / lattice.spacing[0]))
    start, stop = np.full(3, -voxels), np.array(lattice.shape) + voxels
    if bounds is not None:
        index = lattice.to_index(bounds)
        start = np.clip(np.floor(index.min(0)).astype(int), start, 0)
        stop = np.clip(np.ceil(index.max(0)).astype(int) + 1, lattice.shape, stop)
    return lattice.window(start, tuple(int(n) for n in stop - start))


def covering(lattice: Lattice, points: np.ndarray) -> Lattice:
    """A lattice with the voxels of ``lattice`` that covers the RAS points (N, 3) and nothing more."""
    index = lattice.to_index(points)
    start = np.floor(index.min(0)).astype(int)
    shape = np.ceil(index.max(0)).astype(int) + 1 - start
    return lattice.window(start, tuple(int(n) for n in shape))


def pull(volume: torch.Tensor, source: Lattice, target: Lattice, transform: Transform, *, padding: str) -> torch.Tensor:
    """A volume (I, J, K) of moving space read at the voxels of ``target`` in fixed space, through ``transform``."""
    matrix = linear_matrix(transform)
    if matrix is not None:
        return resample(volume, source, target, matrix, padding=padding)
    index = moved_index(transform.displacement(target), source)
    return sample(volume[None], index, padding=padding)[0]


def linear_matrix(transform: Transform) -> np.ndarray | None:
    """(4, 4) of a transform that has only linear parts; None when it has a field."""
    matrix = np.eye(4)
    for part in transform.parts:
        if not isinstance(part, Linear):
            return None
        matrix = part.matrix @ matrix
    return matrix


def reach_in_fixed(moving: Lattice, transform: Transform) -> np.ndarray:
    """(8, 3) RAS mm: the corners of the moving image's field of view, carried into fixed space."""
    matrix = linear_matrix(transform)
    if matrix is not None:
        return Linear(matrix).inverse().transform_points(moving.corners())
    return transform.inverse(moving).transform_points(moving.corners())


def describe(
    descriptor: Descriptor, image: Image, mask: torch.Tensor, lattice: Lattice, transform: Transform | None = None
) -> Described:
    """Describe an image on a lattice; ``transform`` (lattice space to image space) pulls a moving image in.

    Raises:
        torch.OutOfMemoryError: the device cannot hold the descriptors.
    """
    transform = transform or Transform()
    # Beyond the field of view the edge voxel is repeated, so that no false edge is described there.
    values = pull(image.data, image.lattice, lattice, transform, padding="border")
    reach = pull(torch.ones_like(image.data), image.lattice, lattice, transform, padding="zeros")
    inside = pull(mask.float(), image.lattice, lattice, transform, padding="border") * (reach > 0.5)
    features = describe_volume(descriptor, descriptor.normalise(values, inside > 0.5), whole=PIECE)
    rim = grown(inside)
    features = torch.cat([(part * rim).half() for part in features.split(4)])
    return Described(features, inside, (reach > 0.5).float(), lattice)


def grown(mask: torch.Tensor, voxels: int = 2) -> torch.Tensor:
    """The mask and a rim of ``voxels`` around it, as 0 or 1: the skin is a structure worth matching."""
    pool = torch.nn.functional.max_pool3d(mask[None, None], 2 * voxels + 1, stride=1, padding=voxels)
    return (pool[0, 0] > 0.5).float()

"""The frame a stage works in: isotropic lattices along the fixed image's axes, and the moving image pulled into them.

Descriptors compare neighbours along index axes, so both images must be described in one orientation: the moving image
is read through the current transform onto a lattice parallel to the fixed one, and the lattice may reach further than
the fixed one, so that structures just beyond its border can still be found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..features.between import block_means_between, thinned_box, thinned_shape
from ..features.blend import Blend
from ..features.descriptor import Descriptor
from ..features.extraction import STRIDE, as_ras, describe_thinned, described_pieces, thinned_network
from ..geometry.channels_last import side_by_side
from ..geometry.image import Image
from ..geometry.lattice import Lattice, as_shape
from ..geometry.occupied import Box, around, occupied, occupied_box
from ..geometry.sampling import sample
from ..transforms.composite import Transform, linear_matrix
from ..transforms.field import DisplacementField, moved_index
from ..transforms.linear import Linear
from .prepared_image import PreparedImage

PIECE = 5_000_000
"""Voxels described in one go, at most: what keeps a 160^3 volume within 3 GB (Testing/benchmarks/size.py)."""


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """An image as descriptors.

    Attributes:
        features: (C, I, J, K) unit vectors, zero outside ``mask`` and a rim; float16 as described, since they are the
            largest thing in memory (rounding: 5e-4). A moving image's channels lie side by side
            (:mod:`dsir.geometry.channels_last`), for it is read between its voxels; a fixed one's apart.
        mask: (I, J, K) float in 0..1: the body (or the region asked for), within the field of view.
        reach: (I, J, K) float in 0..1: the field of view.
        lattice: isotropic.
        find: unit vectors beside them that know what a voxel is, and no more of where it is than every second voxel
            tells (:mod:`dsir.features.between`); they are put beside the others where a coarser lattice asks for it.
        share: of the weight that is the features', the rest being that of ``find``.
    """

    features: torch.Tensor
    mask: torch.Tensor
    reach: torch.Tensor
    lattice: Lattice
    find: torch.Tensor | None = None
    share: float = 1.0

    @property
    def channels(self) -> int:
        """With those of ``find``."""
        return len(self.features) + (0 if self.find is None else len(self.find))

    @property
    def alone(self) -> FeatureMap:
        """Without ``find``."""
        return self if self.find is None else replace(self, find=None, share=1.0)

    @property
    def found(self) -> FeatureMap:
        """``find`` alone, on the voxels that it is known at."""
        assert self.find is not None
        step = 1 if self.find.shape[1:] == self.mask.shape else 2
        mask, reach, rim = (values[::step, ::step, ::step] for values in (self.mask, self.reach, grown(self.mask)))
        i, j, k = (slice(n) for n in mask.shape)
        lattice = self.lattice if step == 1 else every_second(self.lattice, mask.shape)
        return FeatureMap(self.find[:, i, j, k] * rim, mask, reach, lattice)

    def found_through(self, field: DisplacementField) -> torch.Tensor:
        """``find`` where a displacement leads from its own lattice, known at every second voxel if it is here."""
        assert self.find is not None
        if self.find.shape[1:] == self.mask.shape:
            source, target = self.lattice, field.lattice
        else:
            source, target = (every_second(grid, thinned_shape(grid.shape)) for grid in (self.lattice, field.lattice))
        return sample(self.find.float(), moved_index(field.on(target), source), padding="border").half()

    def room(self, channels: int) -> torch.Tensor:
        """An empty (channels, I, J, K), float16, in the order in memory that ``features`` have."""
        if self.features.stride(0) == 1:
            return side_by_side(self.lattice.shape, channels)
        return torch.empty(channels, *self.lattice.shape, dtype=torch.float16)

    def on(self, spacing: float) -> FeatureMap:
        """Averaged onto a coarser lattice of the same box (``spacing`` in mm)."""
        if spacing <= self.lattice.spacing[0] * 1.01:
            return replace(self, features=self._blocks(1)[0]).alone if self.find is not None else self
        return self.onto(self.lattice.with_spacing(spacing))

    def onto(self, target: Lattice, through: DisplacementField | None = None) -> FeatureMap:
        """Averaged onto another lattice; zero where that reaches beyond this one.

        Args:
            through: a displacement (target space to this space) that is followed on the way.
        """
        block = max(1, int(target.spacing[0] / self.lattice.spacing[0] + 0.01))
        pooled, lattice = self._blocks(block)
        masks, _ = block_means(torch.stack([self.mask, self.reach]), self.lattice, block)
        if through is not None or not lattice.matches(target):
            through = through or DisplacementField.identity(target)
            index = moved_index(through.on(target), lattice)
            pooled, masks = sample(pooled, index), sample(masks, index)
        return FeatureMap(pooled, masks[0], (masks[1] > 0.5).float(), target)

    def _blocks(self, block: int) -> tuple[torch.Tensor, Lattice]:
        """All channels, those of ``find`` first, averaged over blocks of so many voxels; and where the means lie."""
        pooled, lattice = block_means(self.features, self.lattice, block)
        if self.find is None:
            return pooled, lattice
        if pooled.stride(0) == 1:
            out = side_by_side(lattice.shape, self.channels, dtype=pooled.dtype)
        else:
            out = torch.empty(self.channels, *lattice.shape, dtype=pooled.dtype)
        count = len(self.find)
        seen, _ = block_means(grown(self.mask)[None], self.lattice, block)
        means = block_means_between(self.find, block, self.lattice.shape)
        torch.mul(means, seen.mul_((1 - self.share) ** 0.5), out=out[:count])
        torch.mul(pooled, self.share**0.5, out=out[count:])
        return out, lattice


def every_second(lattice: Lattice, shape: tuple[int, ...]) -> Lattice:
    """Every second voxel of it along each axis from the first on, ``shape`` of them."""
    affine = lattice.affine.copy()
    affine[:3, :3] *= 2
    return Lattice(as_shape(shape), affine)


def block_means(values: torch.Tensor, lattice: Lattice, block: int) -> tuple[torch.Tensor, Lattice]:
    """(C, I, J, K) averaged over blocks of so many voxels; and where the means lie.

    The result has the values' order in memory, and float32 where channels lie apart.
    """
    if block == 1:
        return values, lattice
    shape = as_shape(-(-n // block) for n in lattice.shape)
    if values.stride(0) == 1:
        pooled = side_by_side(shape, values.shape[0], dtype=values.dtype)
    else:
        pooled = torch.empty(values.shape[0], *shape)
    for n in range(shape[0]):  # plane by plane: a float32 copy of all would be larger than all else
        plane = values[:, n * block : (n + 1) * block].float().sum(1)
        pooled[:, n] = _line_sums(_line_sums(plane, 1, block), 2, block).div_(block**3)
    return pooled, lattice.in_blocks(block, shape)


def _line_sums(plane: torch.Tensor, axis: int, block: int) -> torch.Tensor:
    """Sums of ``block`` neighbours along an axis of (C, J, K), in its order in memory; beyond the end lie zeros.

    Whole strided slices are added: where channels lie side by side, ten times faster than ``avg_pool3d``.
    """
    first, *others = (plane[(slice(None),) * axis + (slice(n, None, block),)] for n in range(block))
    total = first.clone()
    for part in others:
        total.narrow(axis, 0, part.shape[axis]).add_(part)
    return total


def working_lattice(image: Image, mask: torch.Tensor, *, spacing: float, margin: float) -> Lattice:
    """The isotropic lattice along the image's axes that covers its mask, ``margin`` mm around it, within the image.

    Its axes run to the right, front and top as nearly as the image's own allow: a trained network knows up from down.
    """
    start, shape = occupied_box(mask, margin / image.lattice.spacing, image.lattice.shape)
    return as_ras(image.lattice.window(start, shape)).with_spacing(spacing)


def widened(lattice: Lattice, mm: float, bounds: np.ndarray | None = None) -> Lattice:
    """The same voxels and up to ``mm`` more on each side, no further than ``bounds`` ((N, 3) RAS points) ask for."""
    voxels = int(np.ceil(mm / lattice.spacing[0] - 1e-6))  # rounding alone asks for no further voxel
    start, stop = np.full(3, -voxels), np.array(lattice.shape) + voxels
    if bounds is not None:
        index = lattice.to_index(bounds)
        start = np.clip(np.floor(index.min(0)).astype(int), start, 0)
        stop = np.clip(np.ceil(index.max(0)).astype(int) + 1, lattice.shape, stop)
    return lattice.window(start, stop - start)


def reach_in_fixed(moving: Lattice, transform: Transform) -> np.ndarray:
    """(8, 3) RAS mm: the corners of the moving image's field of view, carried into fixed space."""
    matrix = linear_matrix(transform)
    if matrix is not None:
        return Linear(matrix).inverse().transform_points(moving.corners())
    return transform.inverse(moving).transform_points(moving.corners())


def describe(
    descriptor: Descriptor,
    image: Image | PreparedImage,
    mask: torch.Tensor | None,
    lattice: Lattice,
    transform: Transform | None = None,
    *,
    piece: int = PIECE,
    cubic: bool = True,
) -> FeatureMap:
    """Describe an image on a lattice; ``transform`` (lattice space to image space) pulls a moving image in.

    Args:
        mask: of the image, by default all of it; a :class:`PreparedImage` has its own.
        cubic: read the image by splines; linearly where many poses are only compared.
        piece: voxels described in one go.

    Raises:
        torch.OutOfMemoryError: the device cannot hold the descriptors.
    """
    if not isinstance(image, PreparedImage):
        whole = torch.ones(image.lattice.shape, dtype=torch.bool) if mask is None else mask
        image = PreparedImage.of(image, whole, float(lattice.spacing[0]))
    values, inside, reach = image.on(lattice, transform or Transform(), cubic=cubic)
    normalised, rim = descriptor.normalise(values, inside > 0.5), grown(inside)
    del values
    held = occupied(rim)
    if isinstance(descriptor, Blend):
        find, share = _found(descriptor.first, normalised, held, piece), descriptor.share
        descriptor = descriptor.second
    else:
        find, share = None, 1.0
    if transform is None:
        features = torch.zeros(descriptor.channels, *lattice.shape, dtype=torch.float16)
    else:
        features = side_by_side(lattice.shape, descriptor.channels).zero_()
    if held is not None:
        seen = _seen(held, lattice.shape, descriptor.margin)
        kept, weight = features[(slice(None), *seen)], rim[seen]
        for box, part in described_pieces(descriptor, normalised[seen].contiguous(), whole=piece):
            for n in range(part.shape[1]):  # plane by plane: a weighed copy of all would be larger than all else
                at = (box[0].start + n, *box[1:])
                kept[(slice(None), *at)] = part[:, n] * weight[at]
    return FeatureMap(features, inside, reach, lattice, find, share)


def _found(descriptor: Descriptor, normalised: torch.Tensor, held: Box | None, piece: int) -> torch.Tensor:
    """The descriptor's vectors where there is something to see, of every second voxel if it makes no more."""
    network = thinned_network(descriptor)
    shape = thinned_shape(normalised.shape) if network else normalised.shape
    out = torch.zeros(descriptor.channels, *shape, dtype=torch.float16)
    if held is None:
        return out
    seen = _seen(held, as_shape(normalised.shape), descriptor.margin)
    volume = normalised[seen].contiguous()
    if network:
        out[(slice(None), *thinned_box(seen))] = describe_thinned(network, volume, whole=piece)
        return out
    for box, part in described_pieces(descriptor, volume, whole=piece):
        out[(slice(None), *seen)][(slice(None), *box)] = part
    return out


def _seen(held: Box, shape: tuple[int, int, int], margin: int) -> Box:
    """What must be described for ``held`` to be as if all was: a network's strides begin where they would have."""
    rows, columns, planes = around(held, shape, margin)
    stride = STRIDE if margin > STRIDE else 1
    first = [ends.start // stride * stride for ends in (rows, columns, planes)]
    return slice(first[0], rows.stop), slice(first[1], columns.stop), slice(first[2], planes.stop)


def grown(mask: torch.Tensor, voxels: int = 2) -> torch.Tensor:
    """The mask and a rim of ``voxels`` around it, as 0 or 1: the skin is a structure worth matching."""
    out = mask > 0.5
    for axis in range(3):  # the largest in a cube, line by line
        wide = out.clone()
        for step in range(1, min(voxels, mask.shape[axis] - 1) + 1):
            rest = mask.shape[axis] - step
            wide.narrow(axis, 0, rest).logical_or_(out.narrow(axis, step, rest))
            wide.narrow(axis, step, rest).logical_or_(out.narrow(axis, 0, rest))
        out = wide
    return out.float()

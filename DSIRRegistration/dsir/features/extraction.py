"""The representation of a whole image, whatever its orientation, spacing and size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice, as_shape
from ..geometry.occupied import Box, within
from ..progress import Progress, silent
from .between import thinned_box, thinned_shape
from .descriptor import Descriptor
from .dsir import Dsir

WHOLE = 16_000_000
"""Voxels up to which a volume is described in one piece; about 3 GB (measured: 180 bytes a voxel, vectors included)."""

STRIDE = 16
"""Voxels at multiples of which pieces start: a multiple of every network's own stride."""

SMALLEST = 32
"""Voxels along an edge below which a piece is cut no more: its margin would be all there is."""


def working_lattice(lattice: Lattice, spacing: float) -> Lattice:
    """The isotropic lattice that covers ``lattice``, its axes in the order and sense nearest to right, front, top.

    A network knows up from down; so index axes are permuted and flipped, never turned: an oblique scan stays oblique.
    """
    return as_ras(lattice).with_spacing(spacing)


def as_ras(lattice: Lattice) -> Lattice:
    """The same voxels with index axes permuted and flipped to run to the right, front and top as nearly as they can."""
    best = max(
        ((a, b, c) for a in range(3) for b in range(3) for c in range(3) if len({a, b, c}) == 3),
        key=lambda order: sum(abs(lattice.directions[row, axis]) for row, axis in enumerate(order)),
    )
    affine, shape = np.eye(4), np.array(lattice.shape)
    corner = np.zeros(3)
    for row, axis in enumerate(best):
        sense = 1.0 if lattice.directions[row, axis] >= 0 else -1.0
        affine[:3, row] = sense * lattice.affine[:3, axis]
        corner[axis] = 0 if sense > 0 else shape[axis] - 1
    affine[:3, 3] = lattice.to_world(corner)
    return Lattice(as_shape(shape[axis] for axis in best), affine)


def extract(
    image: Image,
    descriptor: Descriptor,
    *,
    spacing: float | None = None,
    mask: Image | None = None,
    whole: int = WHOLE,
    progress: Progress = silent,
) -> tuple[torch.Tensor, Lattice]:
    """Describe an image.

    Args:
        spacing: working voxel size in mm; by default the descriptor's own, or the image's finest.
        mask: non-zero inside the body; only the scale of intensities depends on it.
        whole: voxels described in one go.

    Returns:
        (C, I, J, K) float32 unit vectors, and the lattice they live on.
    """
    spacing = spacing or descriptor.spacing or float(image.lattice.spacing.min())
    lattice = working_lattice(image.lattice, spacing)
    volume = image.on(lattice).data
    inside = mask.on(lattice, mode="nearest", padding="zeros").data if mask is not None else None
    return describe(descriptor, descriptor.normalise(volume, inside), whole=whole, progress=progress), lattice


def describe(
    descriptor: Descriptor, normalised: torch.Tensor, *, whole: int = WHOLE, progress: Progress = silent
) -> torch.Tensor:
    """``descriptor.describe`` of a volume of any size, piece by piece where one would be too large."""
    pieces = described_pieces(descriptor, normalised, whole=whole, progress=progress)
    if normalised.numel() <= whole:
        return next(pieces)[1]
    out = torch.empty(descriptor.channels, *normalised.shape)
    for box, piece in pieces:
        out[(slice(None), *box)] = piece
    return out


def described_pieces(
    descriptor: Descriptor, normalised: torch.Tensor, *, whole: int = WHOLE, progress: Progress = silent
) -> Iterator[tuple[Box, torch.Tensor]]:
    """Boxes that together are the volume, and the descriptors (C, ...) of each.

    A volume of more than ``whole`` voxels is cut in two along its longest axis until every piece is small enough.
    Pieces carry the descriptor's margin and start at whole strides, so they equal the undivided volume within rounding.
    """
    boxes = _boxes(as_shape(normalised.shape), whole, descriptor.margin)
    for n, box in enumerate(boxes):
        progress("features", n / len(boxes), "describing the image" + (", piece by piece" if n else ""))
        wide = _with_margin(box, descriptor.margin, normalised.shape)
        piece = descriptor.describe(normalised[wide].contiguous())
        yield box, piece[(slice(None), *within(box, wide))]


def thinned_network(descriptor: Descriptor) -> Dsir | None:
    """The descriptor, if it is a network that makes a vector for every second voxel only."""
    return descriptor if isinstance(descriptor, Dsir) and descriptor.thinned else None


def describe_thinned(network: Dsir, normalised: torch.Tensor, *, whole: int = WHOLE) -> torch.Tensor:
    """(C, I', J', K') float16: :meth:`.dsir.Dsir.describe_thinned` of a volume of any size, piece by piece."""
    out = torch.empty(network.channels, *thinned_shape(normalised.shape), dtype=torch.float16)
    for box in _boxes(as_shape(normalised.shape), whole, network.margin):
        wide = _with_margin(box, network.margin, normalised.shape)
        piece = network.describe_thinned(normalised[wide].contiguous())
        out[(slice(None), *thinned_box(box))] = piece[(slice(None), *thinned_box(within(box, wide)))]
    return out


def _with_margin(box: Box, margin: int, shape: torch.Size) -> Box:
    """The box and the context around it that its vectors depend on, from a whole stride on."""
    i, j, k = (
        slice(max(ends.start - margin, 0) // STRIDE * STRIDE, min(ends.stop + margin, size))
        for ends, size in zip(box, shape, strict=True)
    )
    return i, j, k


def _boxes(shape: tuple[int, int, int], whole: int, margin: int) -> list[Box]:
    """Boxes that start at whole strides and have, margin included, at most ``whole`` voxels where that can be."""
    cuts = [1, 1, 1]
    while True:
        sizes = [-(-n // c // STRIDE) * STRIDE if c > 1 else n for n, c in zip(shape, cuts, strict=True)]
        sizes = [max(size, min(STRIDE, n)) for size, n in zip(sizes, shape, strict=True)]
        wide = [min(size + 2 * margin, n) for size, n in zip(sizes, shape, strict=True)]
        axis = int(np.argmax(sizes))
        if np.prod(wide) <= whole or sizes[axis] <= SMALLEST:
            break
        cuts[axis] += 1
    starts = [range(0, n, size) for n, size in zip(shape, sizes, strict=True)]
    i, j, k = (
        [slice(low, min(low + size, n)) for low in lows] for lows, size, n in zip(starts, sizes, shape, strict=True)
    )
    return list(product(i, j, k))

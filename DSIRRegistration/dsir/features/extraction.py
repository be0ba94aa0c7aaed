"""The representation of a whole image, whatever its orientation, spacing and size."""

from __future__ import annotations

import numpy as np
import torch

from ..image import Image
from ..lattice import Lattice
from ..progress import Progress, silent
from .descriptor import Descriptor

WHOLE = 9_000_000
"""Voxels up to which a volume is described in one piece; about 4 GB at most (160^3: see the model card)."""


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
    return Lattice(tuple(int(shape[axis]) for axis in best), affine)


def extract(
    image: Image,
    descriptor: Descriptor,
    *,
    spacing: float | None = None,
    mask: Image | None = None,
    progress: Progress = silent,
) -> tuple[torch.Tensor, Lattice]:
    """Describe an image.

    Args:
        spacing: working voxel size in mm; by default the descriptor's own, or the image's finest.
        mask: non-zero inside the body; only the scale of intensities depends on it.

    Returns:
        (C, I, J, K) float32 unit vectors, and the lattice they live on.
    """
    spacing = spacing or descriptor.spacing or float(image.lattice.spacing.min())
    lattice = working_lattice(image.lattice, spacing)
    volume = image.on(lattice).data
    inside = mask.on(lattice, mode="nearest", padding="zeros").data if mask is not None else None
    return describe(descriptor, descriptor.normalise(volume, inside), progress=progress), lattice


def describe(
    descriptor: Descriptor, normalised: torch.Tensor, *, whole: int = WHOLE, progress: Progress = silent
) -> torch.Tensor:
    """``descriptor.describe`` of a volume of any size: cut along its longest axis where one piece would be too large.

    Pieces carry the descriptor's margin and start at whole strides, so they equal the undivided volume within rounding.
    """
    if normalised.numel() <= whole:
        progress("features", 0.0, "describing the image")
        return descriptor.describe(normalised)
    axis = int(np.argmax(normalised.shape))
    length, margin = normalised.shape[axis], descriptor.margin
    plane = normalised.numel() // length
    core = max(whole // plane - 2 * margin, 32) // 16 * 16
    out = torch.empty(descriptor.channels, *normalised.shape)
    for start in range(0, length, core):
        stop = min(start + core, length)
        low, high = max(start - margin, 0) // 16 * 16, min(stop + margin, length)
        progress("features", start / length, "describing the image, piece by piece")
        piece = describe(descriptor, normalised.narrow(axis, low, high - low), whole=max(whole, plane * (high - low)))
        out.narrow(axis + 1, start, stop - start).copy_(piece.narrow(axis + 1, start - low, stop - start))
    return out

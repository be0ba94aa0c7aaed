"""Warping images: the moving image as it looks on a reference lattice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from scipy import ndimage

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.sampling import sample
from ..transforms.composite import Transform
from ..transforms.field import moved_index

Interpolation = Literal["linear", "cubic", "nearest"]

SLAB = 2_000_000
"""Voxels warped at a time: about 100 MB beside the images themselves."""


def warp_image(
    moving: Image,
    transform: Transform,
    reference: Lattice,
    *,
    interpolation: Interpolation = "linear",
    fill: float | None = None,
) -> Image:
    """The moving image on ``reference``: value at x is moving(T(x)).

    Args:
        transform: fixed (reference) to moving, RAS mm.
        interpolation: ``"cubic"`` is the interpolating cubic B-spline (Unser, 1999), kept within the moving image's
            range so that it cannot ring below air.
        fill: value where the moving image has no voxel; its minimum (air in CT, background in MR) by default.
    """
    fill = float(moving.data.min()) if fill is None else fill
    out = torch.empty(reference.shape)
    source = moving.data.float()
    coefficients = None
    if interpolation == "cubic":
        coefficients = ndimage.spline_filter(source.numpy(), order=3, mode="mirror", output=np.float32)
    low, high = source.min(), source.max()
    for rows, index in moved_slabs(transform, reference, moving.lattice):
        if coefficients is not None:
            values = torch.from_numpy(
                ndimage.map_coordinates(coefficients, index.numpy(), order=3, mode="mirror", prefilter=False)
            ).clamp(low, high)
        else:
            mode = "bilinear" if interpolation == "linear" else "nearest"
            values = sample(source[None], index, mode=mode, padding="border")[0]
        out[rows] = torch.where(within(index, moving.lattice), values, fill)
    return Image(out, reference)


def covered(transform: Transform, reference: Lattice, moving: Lattice) -> torch.Tensor:
    """(I, J, K) bool on ``reference``: where the moving image has a voxel to show."""
    out = torch.empty(reference.shape, dtype=torch.bool)
    for rows, index in moved_slabs(transform, reference, moving):
        out[rows] = within(index, moving)
    return out


def moved_slabs(transform: Transform, reference: Lattice, moving: Lattice) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows of ``reference`` and the (3, rows, J, K) voxel indices in ``moving`` of where they go; bounded memory."""
    count = max(1, SLAB // (reference.shape[1] * reference.shape[2]))
    for start in range(0, reference.shape[0], count):
        rows = slice(start, min(start + count, reference.shape[0]))
        window = reference.window(np.array([start, 0, 0]), (rows.stop - start, *reference.shape[1:]))
        yield rows, moved_index(transform.displacement(window), moving)


def within(index: torch.Tensor, lattice: Lattice) -> torch.Tensor:
    """Whether voxel indices (3, ...) lie within the voxels of ``lattice``, edges included; bool (...)."""
    size = torch.tensor(lattice.shape, dtype=index.dtype).view(3, *[1] * (index.ndim - 1))
    return ((index >= -0.5 - 1e-4) & (index <= size - 0.5 + 1e-4)).all(0)

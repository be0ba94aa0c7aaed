"""The field as it is handed over: on a control lattice, fading to nothing beyond the images."""

from __future__ import annotations

import numpy as np
import torch

from ..transforms.field import DisplacementField
from .regularity import remove_folds

STEEPEST = 0.4
"""Largest slope (mm per mm) with which the border displacement fades: well below 1, where a field folds."""


def faded_at_boundary(field: DisplacementField, *, spacing: float, least: float = 16.0) -> DisplacementField:
    """The field on voxels of ``spacing`` mm, widened by a rim in which it fades to zero.

    Outside its lattice every reader continues the edge displacement (VTK, and ours), so a field that does not fade
    would drag the far side of the patient along. The rim is as wide as the largest border displacement needs.

    Returns:
        a field whose outermost voxels are zero and which has no folds by the test of :mod:`.regularity`.
    """
    lattice = field.lattice
    border = max(float(_faces(field.vectors, axis).square().sum(0).max()) ** 0.5 for axis in range(3))
    # A cosine fade over a width w of a displacement a has its steepest slope pi a / (2 w).
    width = max(least, np.pi / 2 * border / STEEPEST)
    rim = int(np.ceil(width / spacing))
    inner = lattice.with_spacing(spacing)
    outer = inner.window(np.full(3, -rim), (n + 2 * rim for n in inner.shape))
    u = field.on(outer).to_index()
    for axis, size in enumerate(outer.shape):
        position = torch.arange(size, dtype=torch.float32)
        depth = torch.minimum(position, size - 1 - position).clamp(max=rim) / rim
        fade = 0.5 - 0.5 * torch.cos(np.pi * depth)
        u = u * fade.view(1, *[-1 if d == axis else 1 for d in range(3)])
    return DisplacementField.from_index(remove_folds(u)[0], outer)


def _faces(vectors: torch.Tensor, axis: int) -> torch.Tensor:
    size = vectors.shape[axis + 1]
    return torch.cat([vectors.narrow(axis + 1, 0, 1), vectors.narrow(axis + 1, size - 1, 1)], axis + 1)

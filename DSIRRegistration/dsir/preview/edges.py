"""Outlines of the structures in a picture, thin enough to lay over another one."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BLUR = 1.5
"""mm; what is finer is texture and noise."""

SHORTEST = 8.0
"""mm; shorter pieces of outline tell nothing."""

STRONGEST = 0.2
"""Share of the body's pixels whose gradient may begin an outline; half of the least of them may continue it."""


def outlines(picture: np.ndarray, pixel: float, inside: np.ndarray) -> np.ndarray:
    """(H, W) bool: ridges of the gradient after a blur, followed by hysteresis (Canny, IEEE TPAMI 1986).

    Args:
        picture: (H, W) grey values; NaN counts as black.
        pixel: mm.
        inside: (H, W) bool; where the gradients that set the threshold are taken.
    """
    smooth = ndimage.gaussian_filter(np.nan_to_num(picture), max(BLUR / pixel, 1.0))
    down, across = np.gradient(smooth)
    slope = np.hypot(down, across)
    unit = np.stack([down, across]) / np.maximum(slope, 1e-9)
    here = np.indices(slope.shape).astype(float)
    ahead, behind = (ndimage.map_coordinates(slope, here + sign * unit, order=1) for sign in (1, -1))
    ridge = (slope >= ahead) & (slope > behind)
    least = np.quantile(slope[inside] if inside.any() else slope, 1 - STRONGEST)
    pieces, _ = ndimage.label(ridge & (slope > 0.5 * least), np.ones((3, 3)))
    begun = np.zeros(pieces.max() + 1, dtype=bool)
    begun[np.unique(pieces[ridge & (slope > least)])] = True
    begun &= np.bincount(pieces.ravel()) * pixel >= SHORTEST
    begun[0] = False
    return begun[pieces]

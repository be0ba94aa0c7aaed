"""The window a scan is shown with: one that fits its modality, so that organs can be told from each other."""

from __future__ import annotations

import numpy as np

CT_WINDOWS = {
    "soft tissue": (-160.0, 240.0),
    "brain": (0.0, 80.0),
    "chest": (-1000.0, 300.0),
    "lung": (-1350.0, 150.0),
    "bone": (-450.0, 1050.0),
}
"""Lowest and highest grey in HU, as radiologists use them (width and level 400/40, 80/40, 1500/-600, 1500/300).

"chest" is ours: in one picture both the lungs' vessels and the soft tissue around them.
"""

AIR, DENSE = -900.0, 3500.0
"""HU. A CT holds air below the first, and 99.9 % of it lies below the second."""

LUNG = (-1000.0, -500.0)
"""HU of aerated lung."""

MUCH_LUNG, MOSTLY_LUNG = 0.15, 0.5
"""Shares of a body from which one wants to see the lungs as well, and only them; neck and shoulders hold 0.1 of it."""

DARK, BRIGHT = 1.0, 99.5
"""Percentiles of the body between which the greys of other modalities lie."""

FEW = 2_000_000
"""Voxels looked at."""


def is_ct(values: np.ndarray) -> bool:
    """Whether these are Hounsfield units, by their look: no other modality stores air far below zero."""
    some = thinned_out(values)
    return bool(some.size) and float(some.min()) <= AIR and float(some.max()) > 0 and np.percentile(some, 99.9) < DENSE


def fitting_window(values: np.ndarray, inside: np.ndarray | None = None) -> tuple[float, float]:
    """Lowest and highest grey of a scan.

    Args:
        values: (I, J, K) of the whole scan.
        inside: (I, J, K) bool: the body; by default what is above the darkest value.

    Returns:
        for a CT soft tissue (chest or lung, where much or most of the body is lung); else the 1st to the 99.5th
        percentile of the body.
    """
    step = every(values.size)
    some = values[::step, ::step, ::step]
    ct = is_ct(some)
    if inside is not None and bool(inside[::step, ::step, ::step].any()):
        body = some[inside[::step, ::step, ::step]]
    else:
        body = some[some > (AIR if ct else some.min())] if some.size else some
    if not body.size:
        return 0.0, 1.0
    if ct:
        aerated = float(((body > LUNG[0]) & (body < LUNG[1])).mean())
        shown = "lung" if aerated > MOSTLY_LUNG else "chest" if aerated > MUCH_LUNG else "soft tissue"
        return CT_WINDOWS[shown]
    low, high = np.percentile(body, (DARK, BRIGHT))
    return float(low), float(high if high > low else low + 1.0)


def window_beside(
    values: np.ndarray, inside: np.ndarray | None, other: np.ndarray, window: tuple[float, float]
) -> tuple[float, float]:
    """The window of a scan that is shown beside another: two CTs share that one's, for both are in HU.

    Args:
        values, inside: as of :func:`fitting_window`.
        other, window: the scan beside it, and its window.
    """
    return window if is_ct(values) and is_ct(other) else fitting_window(values, inside)


def thinned_out(values: np.ndarray) -> np.ndarray:
    """Every n-th voxel along each axis, so that few remain."""
    step = every(values.size)
    return values[(slice(None, None, step),) * values.ndim]


def every(count: int) -> int:
    """How many voxels to go at a time, along each of three axes, so that at most :data:`FEW` are looked at."""
    return max(1, int(np.ceil((count / FEW) ** (1 / 3))))

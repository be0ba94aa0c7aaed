"""Points from the moving scan to the fixed one, against the transform's own direction."""

from __future__ import annotations

import numpy as np

from ..transforms.composite import Transform
from ..transforms.inversion import invert_points
from ..transforms.linear import Linear

TOLERATED = 0.1
"""mm by which the inverse may miss a point before it is said; beyond it the transform folds there."""


def moving_to_fixed(transform: Transform, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points of the moving image (N, 3), RAS mm, lie in the fixed image: the inverse, solved for each point.

    Returns:
        (N, 3) RAS mm, and (N,) the error |T(result) - point| in mm, large only where the field folds.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    back = points
    for part in reversed(transform.parts):
        if isinstance(part, Linear):
            back = part.inverse().transform_points(back)
        else:
            back, _ = invert_points(part, back)
    return back, np.linalg.norm(transform.transform_points(back) - points, axis=1)

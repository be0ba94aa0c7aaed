"""Points through a transform, in both directions."""

from __future__ import annotations

import numpy as np

from ..transforms.composite import Transform
from ..transforms.inversion import invert_points
from ..transforms.linear import Linear


def fixed_to_moving(transform: Transform, points: np.ndarray) -> np.ndarray:
    """Where points of the fixed image (N, 3), RAS mm, lie in the moving image: the transform itself."""
    return transform.transform_points(points)


def moving_to_fixed(
    transform: Transform, points: np.ndarray, *, tolerance_mm: float = 1e-4
) -> tuple[np.ndarray, np.ndarray]:
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
            back, _ = invert_points(part, back, tolerance_mm=tolerance_mm)
    return back, np.linalg.norm(transform.transform_points(back) - points, axis=1)

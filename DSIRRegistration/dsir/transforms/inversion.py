"""Going back through a field: where does a moving point lie in the fixed image, and how well is that known."""

from __future__ import annotations

import numpy as np
import torch

from ..geometry.lattice import Lattice
from ..geometry.sampling import affine_grid, sample
from .field import DisplacementField

CHUNK = 400_000
"""Points solved at a time: about 300 MB."""


def invert_field(
    field: DisplacementField, lattice: Lattice | None = None, *, iterations: int = 20, tolerance_mm: float = 1e-3
) -> DisplacementField:
    """The mapping from moving to fixed, by fixed-point iteration v(y) = -u(y + v(y)) (Chen et al., 2008).

    The iteration needs |grad u| < 1 and is slow near it; the voxels it leaves open are solved by Newton's method.

    Args:
        lattice: a lattice in moving space for the result; the field's own by default.
        tolerance_mm: a voxel is done when y + v(y) comes back to y within this.
    """
    lattice = lattice or field.lattice
    v = -field.on(lattice).vectors.reshape(3, -1)  # start from the displacement at the same place
    base = affine_grid(lattice, field.lattice, device=v.device).reshape(3, -1)
    matrix = torch.as_tensor(np.linalg.inv(field.lattice.affine[:3, :3]), dtype=torch.float32, device=v.device)
    open_ = torch.arange(v.shape[1], device=v.device)
    step, last = torch.ones_like(v[0]), torch.full_like(v[0], float("inf"))
    for _ in range(iterations):
        here = v[:, open_]
        rest = sample(field.vectors, base[:, open_] + matrix @ here, padding="border") + here
        distance = rest.norm(dim=0)
        overshot = distance > 0.95 * last  # shorter steps where the field is steep
        step[overshot] = (0.5 * step[overshot]).clamp(min=0.25)
        v[:, open_] = here - step * rest
        keep = distance > tolerance_mm
        open_, step, last = open_[keep], step[keep], distance[keep]
        if not len(open_):
            break
    if len(open_):
        at = np.stack(np.unravel_index(open_.cpu().numpy(), lattice.shape), -1)
        y = lattice.to_world(at)
        moved = y + v[:, open_].T.double().cpu().numpy()
        solved, _ = invert_points(field, y, start=moved, tolerance_mm=tolerance_mm)
        v[:, open_] = torch.from_numpy((solved - y).T).to(v)
    return DisplacementField(v.reshape(3, *lattice.shape), lattice)


def invert_points(
    field: DisplacementField,
    points: np.ndarray,
    *,
    start: np.ndarray | None = None,
    tolerance_mm: float = 1e-4,
    iterations: int = 40,
) -> tuple[np.ndarray, np.ndarray]:
    """Solve x + u(x) = y for each point by Newton's method with step control.

    A trilinear field is piecewise smooth, so Newton ends in a few steps; where a whole step makes things worse the step
    is halved, and at last a short fixed-point step is taken. It does not need |grad u| < 1, as fixed-point iteration
    alone would.

    Args:
        points: (N, 3) y in RAS mm.
        start: (N, 3) first guess of x; ``y - u(y)`` by default.

    Returns:
        (N, 3) x in RAS mm and (N,) what is left, |x + u(x) - y| in mm (large only where the field folds).
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    first = points - field.at(points) if start is None else np.asarray(start, dtype=np.float64).reshape(-1, 3)
    found, left = first.copy(), np.empty(len(points))
    for begin in range(0, len(points), CHUNK):
        part = slice(begin, begin + CHUNK)
        found[part], left[part] = _newton(field, points[part], first[part], tolerance_mm, iterations)
    return found, left


def _newton(
    field: DisplacementField, y: np.ndarray, x: np.ndarray, tolerance: float, iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    u, gradient = displacement_and_gradient(field, x)
    rest = x + u - y
    best, smallest = x.copy(), np.linalg.norm(rest, axis=1)
    open_ = np.flatnonzero(smallest > tolerance)
    x, rest, gradient = x[open_], rest[open_], gradient[open_]
    for _ in range(iterations):
        if not len(open_):
            break
        jacobian = np.eye(3) + gradient
        sound = np.linalg.det(jacobian) > 1e-3
        jacobian[~sound] = np.eye(3)
        step = -np.linalg.solve(jacobian, rest[..., None])[..., 0]
        length = np.linalg.norm(rest, axis=1)
        moved, scale = x + step, np.ones(len(x))
        u, gradient = displacement_and_gradient(field, moved)
        for _ in range(4):
            worse = np.linalg.norm(moved + u - y[open_], axis=1) > 0.9 * length
            if not worse.any():
                break
            scale[worse] *= 0.5
            moved[worse] = x[worse] + scale[worse, None] * step[worse]
            u[worse], gradient[worse] = displacement_and_gradient(field, moved[worse])
        stuck = np.linalg.norm(moved + u - y[open_], axis=1) > 0.99 * length
        if stuck.any():  # at a crease between cells: slide on by a short step that needs no gradient
            moved[stuck] = x[stuck] - 0.4 * rest[stuck]
            u[stuck], gradient[stuck] = displacement_and_gradient(field, moved[stuck])
        x, rest = moved, moved + u - y[open_]
        length = np.linalg.norm(rest, axis=1)
        better = length < smallest[open_]
        best[open_[better]], smallest[open_[better]] = x[better], length[better]
        keep = length > tolerance
        open_, x, rest, gradient = open_[keep], x[keep], rest[keep], gradient[keep]
    return best, smallest


def displacement_and_gradient(field: DisplacementField, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u (N, 3) and du/dx (N, 3, 3) at RAS points (N, 3): those of the trilinear field, float64.

    Outside the lattice u is that of the nearest edge and does not change across it.
    """
    size = np.array(field.lattice.shape)
    index = field.lattice.to_index(points)
    inside = (index >= 0) & (index <= size - 1) & (size > 1)
    index = np.clip(index, 0, size - 1)
    low = np.clip(np.floor(index).astype(np.int64), 0, np.maximum(size - 2, 0))
    high = np.minimum(low + 1, size - 1)
    part = index - low
    vectors = field.vectors.detach().cpu().reshape(3, -1)
    weights = np.stack([1 - part, part])  # (2, N, 3)
    slopes = np.stack([-np.ones_like(part), np.ones_like(part)]) * inside
    u, gradient = np.zeros((len(index), 3)), np.zeros((len(index), 3, 3))
    for corner in np.ndindex(2, 2, 2):
        at = [(high if corner[axis] else low)[:, axis] for axis in range(3)]
        flat = torch.from_numpy((at[0] * size[1] + at[1]) * size[2] + at[2])
        value = vectors[:, flat].numpy().astype(np.float64).T
        w = [weights[corner[axis]][:, axis] for axis in range(3)]
        s = [slopes[corner[axis]][:, axis] for axis in range(3)]
        u += (w[0] * w[1] * w[2])[:, None] * value
        for axis, weight in enumerate((s[0] * w[1] * w[2], w[0] * s[1] * w[2], w[0] * w[1] * s[2])):
            gradient[:, :, axis] += weight[:, None] * value
    return u, gradient @ np.linalg.inv(field.lattice.affine[:3, :3])

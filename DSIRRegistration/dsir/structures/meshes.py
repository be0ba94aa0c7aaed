"""Surfaces through a transform: points exactly, normals as covectors."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..files.meshes import Mesh
from ..transforms.composite import Transform
from ..transforms.jacobian import gradient_at
from ..warp.points import moving_to_fixed

Side = Literal["fixed", "moving"]

REACH = 0.1
"""mm to each side over which the mapping's Jacobian is measured for the normals."""


def warp_mesh(mesh: Mesh, transform: Transform, *, to: Side = "fixed") -> tuple[np.ndarray, np.ndarray | None, float]:
    """Move a surface to the other image.

    Args:
        transform: fixed to moving.
        to: ``"fixed"`` for a surface drawn on the moving image (through the inverse), ``"moving"`` for the other way.

    Returns:
        points (N, 3) RAS mm, unit normals (N, 3) or None, and the largest inverse error in mm (0 towards moving).
    """
    if to == "fixed":
        points, error = moving_to_fixed(transform, mesh.points)
        at, worst = points, float(error.max())
    else:
        points, at, worst = transform.transform_points(mesh.points), mesh.points, 0.0
    if mesh.normals is None:
        return points, None, worst
    gradient = gradient_at(transform, at, REACH)
    if to == "fixed":  # a normal is a covector: it comes back through the transpose of dT
        normals = np.einsum("nji,nj->ni", gradient, mesh.normals)
    else:
        normals = np.linalg.solve(gradient.transpose(0, 2, 1), mesh.normals[..., None])[..., 0]
    return points, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20), worst

"""Closed triangle surfaces as shapes: what is inside by counting crossings, how far the surface is by its triangles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.spatial import cKDTree

from ..geometry.lattice import Lattice, as_shape
from ..geometry.subgrids import LARGEST
from ..metrics.distance import signed_distance
from ..shapes.structure import Structure

REACH = 10.0
"""mm around the surface within which distances are right."""

STEPS = (0.5, 1.0)
"""mm: voxels of a surface's shape; the smaller the surface, the finer."""

EXACT = 2.5
"""Voxels from the surface within which the distance to the very triangle is taken."""

JITTER = np.array([1.37e-4, 2.71e-4])
"""Voxels by which the lines that count crossings miss the voxel centres, so that they meet no edge and no corner."""

CHUNK = 4_000_000


def open_edges(points: np.ndarray, triangles: np.ndarray) -> int:
    """How many edges bound an odd number of faces; 0 for a closed surface. Points at one place count as one."""
    if not len(triangles):
        return 0
    _, same = np.unique(np.round(points, 4), axis=0, return_inverse=True)
    faces = same.reshape(-1)[triangles]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    return int((count % 2).sum())


def from_surface(
    points: np.ndarray, triangles: np.ndarray, *, name: str, number: int, colour: tuple[int, int, int]
) -> Structure:
    """A structure from a closed surface; a surface within another bounds a hole.

    Args:
        points: (N, 3) RAS mm.
        triangles: (M, 3) point numbers.
    """
    low, high = points.min(0) - REACH, points.max(0) + REACH
    step = float(
        max(np.clip((points.max(0) - points.min(0)).min() / 40, *STEPS), np.cbrt(np.prod(high - low) / LARGEST))
    )
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low
    lattice = Lattice(as_shape(np.ceil((high - low) / step) + 1), affine)
    corners = lattice.to_index(points)[triangles]
    inside = torch.from_numpy(_inside(corners, lattice.shape))
    distance = signed_distance(inside, lattice.spacing, REACH)
    near = (distance.abs() < EXACT * step).nonzero().numpy()
    exact = torch.from_numpy(_to_surface(near.astype(np.float64), corners) * step).float()
    at = tuple(torch.from_numpy(near.T))
    distance[at] = torch.where(inside[at], exact, -exact)
    return Structure(name, distance, lattice, number, colour)


def _inside(corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(I, J, K) bool: an odd number of triangles (M, 3, 3) lies below the voxel."""
    crossed = np.zeros((shape[0], shape[1], shape[2] + 1), dtype=np.int32)
    for triangle, column in _columns(corners, shape):
        a, b, c = corners[triangle].transpose(1, 0, 2)
        p = column + JITTER
        area = _cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            s, t = _cross(p - a[:, :2], c - a) / area, _cross(b - a, p - a[:, :2]) / area
            hit = (s >= 0) & (t >= 0) & (s + t <= 1)
            z = (a[:, 2] + s * (b - a)[:, 2] + t * (c - a)[:, 2])[hit]
        above = np.clip(np.ceil(z), 0, shape[2]).astype(int)
        np.add.at(crossed, (column[hit, 0], column[hit, 1], above), 1)
    return np.cumsum(crossed, axis=2)[..., :-1] % 2 == 1


def _columns(corners: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of triangles and the columns (N, 2) that each may cover, a bounded number of pairs at a time."""
    low = np.clip(np.floor(corners[..., :2].min(1)), 0, np.array(shape[:2]) - 1).astype(int)
    high = np.clip(np.ceil(corners[..., :2].max(1)), 0, np.array(shape[:2]) - 1).astype(int)
    size = high - low + 1
    count = size.prod(1)
    for part in np.split(np.arange(len(corners)), np.flatnonzero(np.diff(np.cumsum(count) // CHUNK)) + 1):
        which = np.repeat(part, count[part])
        rank = np.arange(len(which)) - np.repeat(np.cumsum(count[part]) - count[part], count[part])
        yield which, low[which] + np.stack([rank // size[which, 1], rank % size[which, 1]], -1)


def _to_surface(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) distance of points (N, 3) near the surface to its triangles (M, 3, 3)."""
    samples, owner = _samples(corners)
    _, nearest = cKDTree(samples).query(points, k=min(6, len(samples)))
    nearest = owner[nearest.reshape(len(points), -1)]
    found = np.full(len(points), np.inf)
    for choice in nearest.T:
        found = np.minimum(found, _to_triangles(points, corners[choice]))
    return found


def _samples(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points no further than about a voxel apart on every triangle, and which triangle each is on."""
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    parts = np.maximum(np.ceil(longest), 1).astype(int)
    points, owner = [], []
    for n in np.unique(parts):
        mine = np.flatnonzero(parts == n)
        i, j = (g.ravel() for g in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
        below = i + j < n
        weights = (np.stack([i, j], -1)[below] + 1 / 3) / n
        weights = np.column_stack([1 - weights.sum(1), weights])
        points.append(np.einsum("wc,mcx->mwx", weights, corners[mine]).reshape(-1, 3))
        owner.append(np.repeat(mine, len(weights)))
    return np.concatenate(points), np.concatenate(owner)


def _to_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) distance of each point to its own triangle (N, 3, 3)."""
    a, b, c = corners.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    sides = [_dot(np.cross(q - p, points - p), normal) for p, q in ((a, b), (b, c), (c, a))]
    over = np.min(sides, axis=0) >= 0
    edges = np.min([_to_edge(points, p, q) for p, q in ((a, b), (b, c), (c, a))], axis=0)
    return np.where(over, np.abs(_dot(points - a, normal)), edges)


def _to_edge(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    along = b - a
    t = np.clip(_dot(points - a, along) / np.maximum(_dot(along, along), 1e-20), 0, 1)
    return np.linalg.norm(points - a - t[:, None] * along, axis=1)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", a, b)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]

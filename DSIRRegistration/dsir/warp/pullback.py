"""Structures through a transform: each for itself, as the continuous shape it is.

The value at a fixed point x is the structure's distance at T(x) in the moving scan; the new surface is its zero level.
No mask comes in between, overlapping structures do not know of each other, and the inverse is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry.lattice import Lattice
from ..geometry.occupied import extent
from ..geometry.sampling import index_grid, index_map, sample
from ..geometry.subgrids import divided, divisions
from ..progress import Progress, silent
from ..shapes.structure import Structure
from ..transforms.composite import Transform
from .images import moved_slabs, within
from .points import moving_to_fixed

SCOUT = 5.0
"""mm between the points by which structures are found in the fixed scan."""

SUBSLICES = 5
"""Places within a slice's thickness at which a structure that lies between two slices is looked for."""

PROBES = 4000
"""Points of a structure whose way into the fixed scan is followed."""

BEYOND = 2.0
"""mm beyond the moving scan's border that may lie in the fixed scan: no more of a contour than that can be missing, and
surfaces within 2 mm count as one (the tolerance of the surface Dice)."""


@dataclass(frozen=True, eq=False)
class Carried:
    """A structure on the fixed scan.

    Attributes:
        structure: on the fixed scan's slices, its pixels a whole odd number of times finer; may be empty.
        source: the structure as it was drawn.
        outside: share of its volume that comes to lie outside the fixed scan.
        cut: whether the source touches the border of the moving scan, and the fixed scan shows what lies beyond: more
            of it may exist there.
        rescued: whether it fits between two slices and was put on the nearest.
    """

    structure: Structure
    source: Structure
    outside: float
    cut: bool
    rescued: bool


def pull_back(
    structures: Sequence[Structure],
    transform: Transform,
    moving: Lattice,
    fixed: Lattice,
    *,
    progress: Progress = silent,
) -> tuple[Carried, ...]:
    """Propagate structures from the moving onto the fixed scan.

    Args:
        transform: fixed to moving, RAS mm.
        moving, fixed: the lattices of the scans; the third axis of ``fixed`` counts its slices.
    """
    scouted = _scout(transform, fixed)
    carried = []
    for n, structure in enumerate(structures):
        progress("propagating", n / len(structures), f"structure {n + 1} of {len(structures)}")
        carried.append(_carry(structure, transform, moving, fixed, scouted))
    progress("propagating", 1.0, "done")
    return tuple(carried)


def read_shape(
    structure: Structure, transform: Transform, grid: Lattice, moving: Lattice | None = None
) -> torch.Tensor:
    """(I, J, K) float32: the structure's distance at T(x) for the voxels x of ``grid``; negative outside its box.

    Args:
        moving: where the moving scan has no voxel, nothing is taken to be inside.
    """
    out = torch.empty(grid.shape)
    far = float(structure.distance.min().clamp(max=-1e-3))
    for rows, index in moved_slabs(transform, grid, structure.lattice):
        values = sample(structure.distance[None], index, padding="border")[0]
        out[rows] = torch.where(within(index, structure.lattice), values, far)
        if moving is not None:
            onward = torch.as_tensor(index_map(structure.lattice, moving), dtype=torch.float32)
            there = torch.einsum("rc,cijk->rijk", onward[:3, :3], index) + onward[:3, 3].view(3, 1, 1, 1)
            out[rows] = torch.where(within(there, moving), out[rows], out[rows].clamp(max=-1e-3))
    return out


def inner_points(structure: Structure, count: int = PROBES) -> np.ndarray:
    """(N, 3) RAS mm: voxel centres inside the structure, evenly thinned to about ``count``."""
    flat = (structure.distance.flatten() > 0).nonzero()[:, 0]
    chosen = flat[:: max(1, len(flat) // count)].numpy()
    return structure.lattice.to_world(np.stack(np.unravel_index(chosen, structure.distance.shape), -1))


def _carry(
    structure: Structure, transform: Transform, moving: Lattice, fixed: Lattice, scouted: tuple[np.ndarray, np.ndarray]
) -> Carried:
    probes = inner_points(structure)
    arrived = moving_to_fixed(transform, probes)[0] if len(probes) else probes
    seen = fixed.contains(arrived)
    outside = 1.0 - float(seen.mean()) if len(seen) else 0.0
    grid = _grid(structure, moving, fixed, scouted, arrived[seen])
    cut = _cut(structure, transform, moving, fixed)
    if grid is None:
        empty = replace(structure, distance=torch.full((3, 3, 1), -1.0), lattice=fixed.window(np.zeros(3), (3, 3, 1)))
        return Carried(empty, structure, outside, cut, rescued=False)
    distance = read_shape(structure, transform, grid, moving)
    rescued = False
    if not (distance > 0).any() and seen.any():
        distance = _between_slices(structure, transform, moving, grid)
        rescued = bool((distance > 0).any())
    return Carried(replace(structure, distance=distance, lattice=grid), structure, outside, cut, rescued)


def _scout(transform: Transform, fixed: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Fixed points on a coarse grid, and where each lies in the moving scan; (N, 3) RAS mm both."""
    coarse = fixed.with_spacing(np.maximum(fixed.spacing, SCOUT))
    points = coarse.to_world(index_grid(coarse.shape).reshape(3, -1).T.double().numpy())
    moved = points + transform.displacement(coarse).vectors.reshape(3, -1).T.double().numpy()
    return points, moved


def _grid(
    structure: Structure, moving: Lattice, fixed: Lattice, scouted: tuple[np.ndarray, np.ndarray], arrived: np.ndarray
) -> Lattice | None:
    """The box of the fixed scan that holds all of the structure, in-plane pixels divided; None where it holds none."""
    points, moved = scouted
    index = torch.from_numpy(structure.lattice.to_index(moved).T).float()
    inside = within(index, structure.lattice)
    near = sample(structure.distance[None], index, padding="border")[0]
    close = (inside & (near > -0.8 * structure.distance.abs().max())).numpy()
    marked = np.concatenate([points[close], arrived])
    if not len(marked):
        return None
    places = fixed.to_index(marked)
    margin = SCOUT / fixed.spacing + 2
    low = np.clip(np.floor(places.min(0) - margin), 0, np.array(fixed.shape) - 1).astype(int)
    high = np.clip(np.ceil(places.max(0) + margin), 0, np.array(fixed.shape) - 1).astype(int)
    shape = high - low + 1
    return divided(fixed.window(low, shape), divisions(fixed.spacing, shape))


def _between_slices(structure: Structure, transform: Transform, moving: Lattice, grid: Lattice) -> torch.Tensor:
    """The largest value within each slice's thickness, so that a structure between two slices is on the nearer one."""
    fine = divided(grid, np.array([1, 1, SUBSLICES]))
    values = read_shape(structure, transform, fine, moving)
    return values.reshape(*grid.shape, SUBSLICES).amax(-1)


def _cut(structure: Structure, transform: Transform, moving: Lattice, fixed: Lattice) -> bool:
    """Whether it reaches the first or last voxel of the scan along any axis, and may go on in the fixed one."""
    box = extent(structure.distance > 0)
    if box is None:
        return False
    corners = np.stack(np.meshgrid(*zip(*box, strict=True), indexing="ij"), -1).reshape(-1, 3)
    places, last = moving.to_index(structure.lattice.to_world(corners)), np.array(moving.shape) - 1
    if not ((places.min(0) < 0.5).any() or (places.max(0) > last - 0.5).any()):
        return False
    inside = moving.to_index(structure.lattice.to_world((structure.distance > 0).nonzero().numpy()))
    beyond = []
    for axis in range(3):
        step = BEYOND / moving.spacing[axis]
        for at_border, there in (
            (inside[:, axis] < 0.5, -0.5 - step),
            (inside[:, axis] > last[axis] - 0.5, last[axis] + 0.5 + step),
        ):
            points = inside[at_border]
            points = points[:: max(1, len(points) // PROBES)]
            points[:, axis] = there
            beyond.append(points)
    arrived = moving_to_fixed(transform, moving.to_world(np.concatenate(beyond)))[0]
    return bool(fixed.contains(arrived).any())

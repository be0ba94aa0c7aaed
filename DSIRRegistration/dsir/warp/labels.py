"""Warping labels: each one pulled back as a smooth shape, not as a mosaic of voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from ..geometry.lattice import Lattice
from ..geometry.sampling import sample
from ..metrics.distance import signed_distance
from ..transforms.composite import Transform
from .images import moved_slabs, within
from .points import moving_to_fixed

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class WarpedLabels:
    """Labels on the reference lattice, and which of them had trouble.

    Attributes:
        labels: (I, J, K) int32.
        rescued: labels smaller than a reference voxel, kept as the one voxel that they fill most.
        outside: labels whose place is outside the reference image (all of their voxels).
    """

    labels: torch.Tensor
    rescued: tuple[int, ...] = ()
    outside: tuple[int, ...] = ()


def warp_labels(labels: torch.Tensor, lattice: Lattice, transform: Transform, reference: Lattice) -> WarpedLabels:
    """Pull a label map back through a transform.

    Every label becomes a signed distance in mm, so that a shape between two 5 mm slices lies between its outlines
    (shape-based interpolation, Raya and Udupa, IEEE TMI 1990). The distances are read trilinearly at the moved points,
    shifted so that each label keeps the volume that the transform gives it, and the largest wins. Labels that touch
    stay in touch. Each label is worked on in its own box.

    Args:
        labels: (I, J, K) integers on ``lattice`` (moving space), 0 is background.
        transform: fixed (reference) to moving, RAS mm.
    """
    values, compact = _compact(labels.cpu().numpy())
    if len(values) == 1:
        return WarpedLabels(torch.zeros(reference.shape, dtype=torch.int32))

    boxes = ndimage.find_objects(compact)
    near = _nearest(compact, lattice, transform, reference)
    places = _places(near, compact, boxes, lattice, transform, reference)
    best = torch.full(reference.shape, -torch.inf)
    owner = torch.zeros(reference.shape, dtype=torch.int32)
    peaks: dict[int, tuple[float, tuple[int, ...]]] = {}
    for number, place in enumerate(places, start=1):
        if place is None:
            continue
        box = _grown(boxes[number - 1], lattice.shape, _reach(lattice) / lattice.spacing + 1)
        start = [s.start for s in box]
        shape = _shape(compact[box] == number, lattice, transform, reference, place, start)
        peaks[number] = (float(shape.max()), _voxel(shape, place))
        shape = _with_volume_of(near[place] == number, shape, lattice)
        wins = shape > best[place]
        best[place] = torch.where(wins, shape, best[place])
        owner[place] = torch.where(wins, number, owner[place])
    _clear_background(owner, best, compact, places, lattice, transform, reference)
    rescued, outside = _rescue(owner, peaks, len(values), float(reference.spacing.max() + lattice.spacing.max()) / 2)
    out = torch.from_numpy(values.astype(np.int32))[owner.long()]
    return WarpedLabels(out, tuple(int(values[n]) for n in rescued), tuple(int(values[n]) for n in outside))


def _with_volume_of(near: torch.Tensor, distance: torch.Tensor, lattice: Lattice) -> torch.Tensor:
    """The signed distance, shifted so that as many voxels are positive as ``near`` has.

    Trilinear reading rounds the corners of a shape off: 7 to 20 % of a small organ (measured). The nearest-neighbour
    count is rough in shape but right in volume, so the surface moves by the fraction of a voxel that restores it.
    """
    # Where two slices are equally far (a sheet one voxel thick, half-way) the nearest decides.
    distance = distance + 1e-3 * float(lattice.spacing.min()) * near
    count = int(near.sum())
    if not 0 < count < distance.numel():
        return distance
    ordered = np.partition(distance.numpy().ravel(), [distance.numel() - count - 1, distance.numel() - count])
    level = float(ordered[-count - 1 : len(ordered) - count + 1].mean())
    limit = float(lattice.spacing.max()) / 2
    return distance - float(np.clip(level, -limit, limit))


def _clear_background(
    owner: torch.Tensor,
    best: torch.Tensor,
    compact: np.ndarray,
    places: list[Box | None],
    lattice: Lattice,
    transform: Transform,
    reference: Lattice,
) -> None:
    """Set ``owner`` to 0 outside all shapes, save in the chinks where three of them meet inside their union."""
    found = [place for place in places if place is not None]
    if not found:
        return
    i, j, k = (slice(min(p[a].start for p in found), max(p[a].stop for p in found)) for a in range(3))
    whole = i, j, k
    union = _shape(compact > 0, lattice, transform, reference, whole)
    inside = (best[whole] > 0) | (union > 0.5 * float(lattice.spacing.min()))
    owner[whole] = torch.where(inside, owner[whole], 0)


def _rescue(
    owner: torch.Tensor, peaks: dict[int, tuple[float, tuple[int, ...]]], count: int, within_mm: float
) -> tuple[list[int], list[int]]:
    """Give a label that no voxel went to the one where its distance is largest; those rescued, and those outside."""
    present = torch.bincount(owner.flatten(), minlength=count)
    rescued, outside = [], []
    for number in range(1, count):
        if present[number]:
            continue
        distance, voxel = peaks.get(number, (-np.inf, (0, 0, 0)))
        if distance > -within_mm:
            owner[voxel] = number
            rescued.append(number)
        else:
            outside.append(number)
    return rescued, outside


def _voxel(values: torch.Tensor, place: Box) -> tuple[int, ...]:
    """Where in the whole volume the largest of a box's values lies."""
    at = np.unravel_index(int(values.argmax()), values.shape)
    return tuple(int(i + s.start) for i, s in zip(at, place, strict=True))


def _shape(
    mask: np.ndarray,
    lattice: Lattice,
    transform: Transform,
    reference: Lattice,
    place: Box,
    start: list[int] | None = None,
) -> torch.Tensor:
    """The signed distance of ``mask`` (a box of ``lattice`` from ``start`` on) read in a box of ``reference``."""
    reach = _reach(lattice)
    distance = signed_distance(torch.from_numpy(mask), lattice.spacing, reach)[None]
    window = reference.window(np.array([s.start for s in place]), tuple(s.stop - s.start for s in place))
    offset = torch.tensor(start or [0, 0, 0], dtype=torch.float32).view(3, 1, 1, 1)
    out = torch.empty(window.shape)
    for rows, index in moved_slabs(transform, window, lattice):
        values = sample(distance, index - offset, padding="border")[0]
        out[rows] = torch.where(within(index, lattice), values, -reach)
    return out


def _compact(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The label values in order, 0 first, and the map with 0, 1, 2, ... in their stead (int32)."""
    values = np.union1d([0], np.unique(labels))
    return values, np.searchsorted(values, labels).astype(np.int32)


def _nearest(compact: np.ndarray, lattice: Lattice, transform: Transform, reference: Lattice) -> torch.Tensor:
    """(I, J, K) int32 on ``reference``: the label of the nearest moving voxel, 0 outside."""
    near = torch.empty(reference.shape, dtype=torch.int32)
    source = torch.from_numpy(compact)[None].float()
    for rows, index in moved_slabs(transform, reference, lattice):
        near[rows] = sample(source, index, mode="nearest")[0].int()
    return near


def _places(
    near: torch.Tensor,
    compact: np.ndarray,
    boxes: list[Box],
    lattice: Lattice,
    transform: Transform,
    reference: Lattice,
) -> list[Box | None]:
    """Where in ``reference`` each label comes to lie, with a margin; None where that is outside."""
    margin = 1.5 * lattice.spacing.max() / reference.spacing + 1
    places: list[Box | None] = []
    seen = ndimage.find_objects(near.numpy(), max_label=len(boxes))
    for number, box in enumerate(seen, start=1):
        if box is None:  # thinner than a reference voxel, or out of sight: follow its own voxels
            voxels = np.argwhere(compact[boxes[number - 1]] == number) + [s.start for s in boxes[number - 1]]
            voxels = voxels[:: max(1, len(voxels) // 500)]
            points, _ = moving_to_fixed(transform, lattice.to_world(voxels))
            index = np.rint(reference.to_index(points[reference.contains(points)])).astype(int)
            if not len(index):
                places.append(None)
                continue
            box = tuple(slice(low, high + 1) for low, high in zip(index.min(0), index.max(0), strict=True))
        places.append(_grown(box, reference.shape, margin))
    return places


def _grown(box: Box, shape: tuple[int, ...], margin: np.ndarray) -> Box:
    grow = np.ceil(margin).astype(int)
    i, j, k = (slice(max(s.start - g, 0), min(s.stop + g, n)) for s, g, n in zip(box, grow, shape, strict=True))
    return i, j, k


def _reach(lattice: Lattice) -> float:
    """mm around a surface within which distances must be right: over the next slice and a few voxels."""
    return float(max(1.5 * lattice.spacing.max(), 3 * lattice.spacing.min()))

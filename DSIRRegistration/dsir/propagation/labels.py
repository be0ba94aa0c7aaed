"""Warping labels: each one pulled back as a smooth shape, not as a mosaic of voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from ..lattice import Lattice
from ..sampling import sample
from ..transform import Transform
from .images import moved_slabs, within
from .points import moving_to_fixed

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class WarpedLabels:
    """Labels on the reference lattice, and which of them had trouble.

    Attributes:
        labels: (I, J, K) int32.
        rescued: labels smaller than a reference voxel, kept as the one voxel that they fill most.
        lost: labels whose place is outside the reference image (all of their voxels).
    """

    labels: torch.Tensor
    rescued: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()


def warp_labels(labels: torch.Tensor, lattice: Lattice, transform: Transform, reference: Lattice) -> WarpedLabels:
    """Pull a label map back through a transform.

    Every label, the background included, becomes a signed distance in mm (so that a shape between two 5 mm slices lies
    between its outlines: shape-based interpolation, Raya and Udupa, IEEE TMI 1990); the distances are read trilinearly
    at the moved points and the largest wins. Labels that touch stay in touch. Each label is worked on in its own box.

    Args:
        labels: (I, J, K) integers on ``lattice`` (moving space), 0 is background.
        transform: fixed (reference) to moving, RAS mm.
    """
    values, compact = _compact(labels.cpu().numpy())
    if len(values) == 1:
        return WarpedLabels(torch.zeros(reference.shape, dtype=torch.int32))

    boxes = ndimage.find_objects(compact)
    places = _places(compact, boxes, lattice, transform, reference)
    found = [place for place in places if place is not None]
    owner = torch.zeros(reference.shape, dtype=torch.int32)
    peaks: dict[int, tuple[float, tuple[int, ...]]] = {}
    if found:
        whole = tuple(slice(min(p[a].start for p in found), max(p[a].stop for p in found)) for a in range(3))
        best = torch.full(reference.shape, np.inf)
        best[whole] = -1e-4 - _shape(compact > 0, lattice, transform, reference, whole)  # ties go to the labels
        for number, place in enumerate(places, start=1):
            if place is None:
                continue
            box = _grown(boxes[number - 1], lattice.shape, _reach(lattice) / lattice.spacing + 1)
            mask = compact[box] == number
            start = [s.start for s in box]
            shape = _shape(mask, lattice, transform, reference, place, start)
            wins = shape > best[place]
            best[place] = torch.where(wins, shape, best[place])
            owner[place] = torch.where(wins, number, owner[place])
            top = int(shape.argmax())
            at = np.unravel_index(top, shape.shape)
            peaks[number] = (
                float(shape.flatten()[top]),
                tuple(int(i + s.start) for i, s in zip(at, place, strict=True)),
            )

    present = torch.bincount(owner.flatten(), minlength=len(values))
    rescued, lost = [], []
    for number in range(1, len(values)):
        if present[number]:
            continue
        distance, voxel = peaks.get(number, (-np.inf, (0, 0, 0)))
        if distance > -float(reference.spacing.max() + lattice.spacing.max()) / 2:
            owner[voxel] = number
            rescued.append(int(values[number]))
        else:
            lost.append(int(values[number]))
    out = torch.from_numpy(values.astype(np.int32))[owner.long()]
    return WarpedLabels(out, tuple(rescued), tuple(lost))


def warp_mask(mask: torch.Tensor, lattice: Lattice, transform: Transform, reference: Lattice) -> torch.Tensor:
    """Pull one structure (bool, on ``lattice``) back to a bool mask on ``reference``, by itself and smoothly."""
    return warp_labels(mask.to(torch.int32), lattice, transform, reference).labels > 0


def signed_distance(mask: torch.Tensor, spacing: np.ndarray, reach: float) -> torch.Tensor:
    """(I, J, K) float32 mm: to the nearest voxel outside (inside the mask), minus that to the nearest one inside.

    Between a voxel of the mask and its neighbour outside it passes zero half-way. Exact up to ``reach``, constant
    beyond: a separable lower envelope (Felzenszwalb and Huttenlocher, 2012) over a few voxels, much faster than the
    whole transform.
    """
    return _distance(~mask, spacing, reach) - _distance(mask, spacing, reach)


def _distance(to: torch.Tensor, spacing: np.ndarray, reach: float) -> torch.Tensor:
    squared = torch.where(to, 0.0, reach**2)
    for axis in range(3):
        before = squared
        squared = before.clone()
        length = before.shape[axis]
        for offset in range(1, min(int(reach / spacing[axis] + 1e-6), length - 1) + 1):
            cost = float((offset * spacing[axis]) ** 2)
            ahead, behind = before.narrow(axis, offset, length - offset), before.narrow(axis, 0, length - offset)
            target = squared.narrow(axis, 0, length - offset)
            torch.minimum(target, ahead + cost, out=target)
            target = squared.narrow(axis, offset, length - offset)
            torch.minimum(target, behind + cost, out=target)
    return squared.sqrt()


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


def _places(
    compact: np.ndarray, boxes: list[Box], lattice: Lattice, transform: Transform, reference: Lattice
) -> list[Box | None]:
    """Where in ``reference`` each label comes to lie, with a margin; None where that is outside."""
    near = torch.empty(reference.shape, dtype=torch.int32)
    source = torch.from_numpy(compact)[None].float()
    for rows, index in moved_slabs(transform, reference, lattice):
        near[rows] = sample(source, index, mode="nearest")[0].int()
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
    return tuple(slice(max(s.start - g, 0), min(s.stop + g, n)) for s, g, n in zip(box, grow, shape, strict=True))


def _reach(lattice: Lattice) -> float:
    """mm around a surface within which distances must be right: over the next slice and a few voxels."""
    return float(max(1.5 * lattice.spacing.max(), 3 * lattice.spacing.min()))

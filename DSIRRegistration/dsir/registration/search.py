"""The global search: every translation, and a fan of rotations, at a glance.

Descriptors are unit vectors and zero outside the body, so their cross-correlation over all translations, by FFT, is the
mean cosine for every shift at once: no start is needed, and what lies outside the other image simply counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import next_fast_len
from scipy.spatial.transform import Rotation

from ..features.descriptor import Descriptor
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.linear import Linear
from .prepared_image import PreparedImage
from .working_grid import FeatureMap, describe, reach_in_fixed


@dataclass(frozen=True)
class Start:
    """A linear start.

    Attributes:
        matrix: (4, 4) fixed to moving, RAS mm.
        similarity: mean cosine over the fixed body, missing voxels counting 0.
    """

    matrix: np.ndarray
    similarity: float


def rotations(angles: tuple[float, ...]) -> list[np.ndarray]:
    """(3, 3) the identity, then each angle (degrees) both ways around each RAS axis."""
    turns = [(axis, sign * angle) for angle in angles for axis in "xyz" for sign in (1, -1)]
    return [np.eye(3), *(Rotation.from_euler(axis, angle, degrees=True).as_matrix() for axis, angle in turns)]


def about(rotation: np.ndarray, fixed_centre: np.ndarray, moving_centre: np.ndarray) -> np.ndarray:
    """(4, 4) that turns about the fixed centre and puts it on the moving centre."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = moving_centre - rotation @ fixed_centre
    return matrix


def search(
    fixed: FeatureMap,
    moving: PreparedImage,
    descriptor: Descriptor,
    turns: Sequence[np.ndarray],
    *,
    spacing: float = 8.0,
    tell: Callable[[float], None] = lambda fraction: None,
) -> list[Start]:
    """The best translation for each rotation, best first.

    Args:
        fixed: described at the search's fine spacing.
        turns: (3, 3) each.
        spacing: mm of the lattice that is correlated.
    """
    coarse = fixed.on(spacing)
    fixed_centre = centre_of_mass(fixed.mask, fixed.lattice)
    moving_centre = centre_of_mass(moving.mask, moving.lattice)
    starts = []
    for n, turn in enumerate(turns):
        tell(n / len(turns))
        matrix = about(turn, fixed_centre, moving_centre)
        pose = Transform((Linear(matrix),))
        lattice = fixed.lattice.covering(reach_in_fixed(moving.lattice, pose))
        pulled = describe(descriptor, moving, None, lattice, pose, cubic=False).on(spacing)
        shift, similarity = best_shift(coarse, pulled)
        starts.append(Start(matrix @ shift, similarity))
    return sorted(starts, key=lambda start: -start.similarity)


def best_shift(fixed: FeatureMap, moving: FeatureMap) -> tuple[np.ndarray, float]:
    """The translation (4, 4) in fixed space of the highest mean cosine, and that cosine."""
    least = [a + b - 1 for a, b in zip(fixed.mask.shape, moving.mask.shape, strict=True)]
    size = [next_fast_len(n, real=True) for n in least]
    total = torch.zeros(size[0], size[1], size[2] // 2 + 1, dtype=torch.complex64)
    for a, b in zip(fixed.features, moving.features, strict=True):
        total.addcmul_(torch.fft.rfftn(b.float(), size), torch.fft.rfftn(a.float(), size).conj_physical_())
    correlation = torch.fft.irfftn(total, size)
    best = int(correlation.argmax())
    steps = np.array(np.unravel_index(best, size))
    steps = np.where(steps >= np.array(moving.mask.shape), steps - size, steps)  # negative shifts wrap around
    shift = np.eye(4)
    shift[:3, 3] = moving.lattice.to_world(steps) - fixed.lattice.to_world(np.zeros(3))
    return shift, float(correlation.flatten()[best] / fixed.mask.sum().clamp(min=1))


def centre_of_mass(mask: torch.Tensor, lattice: Lattice) -> np.ndarray:
    """(3,) RAS mm of a mask's middle; the lattice's own when the mask is empty."""
    total = float(mask.sum(dtype=torch.float64))
    if not total > 0:
        return lattice.centre
    index = []
    for axis, size in enumerate(mask.shape):
        line = mask.sum(tuple(d for d in range(3) if d != axis), dtype=torch.float64)
        index.append(float((line * torch.arange(size)).sum()) / total)
    return lattice.to_world(np.array(index))

"""Where the linear stage may begin: where the scanner put the scans, where a search finds the other, or turned over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch

from ..features.descriptor import Descriptor
from ..geometry.image import Image
from .linear import LinearSettings
from .prepared_image import PreparedImage
from .search import Start, about, centre_of_mass, rotations, search
from .working_grid import FeatureMap

LIKELY = 0.8
"""Share of the best start's mean cosine below which another one is not refined."""

FAN = 22.0
"""Degrees around each axis that are tried about the likeliest turns: half of the 45 to the next one."""


@dataclass(frozen=True, eq=False)
class DescribedPair:
    """Both images as the search sees them.

    Attributes:
        target: the fixed one, described.
        view: the moving one, to be described in each turn: descriptors turn with the image.
    """

    target: FeatureMap
    view: PreparedImage
    descriptor: Descriptor


def named_starts(
    fixed: Image, moving: Image, fixed_mask: torch.Tensor, moving_mask: torch.Tensor, start: str
) -> list[tuple[str, np.ndarray]]:
    """``"centre"`` and, where that is asked for, ``"axes"``: (4, 4) by name."""
    if start not in ("centre", "axes"):
        return []
    fixed_centre = centre_of_mass(fixed_mask, fixed.lattice)
    moving_centre = centre_of_mass(moving_mask, moving.lattice)
    starts = [("centre", about(np.eye(3), fixed_centre, moving_centre))]
    if start == "axes":
        turn = principal_axes(moving_mask, moving) @ principal_axes(fixed_mask, fixed).T
        starts.append(("axes", about(turn, fixed_centre, moving_centre)))
    return starts


def searched_starts(
    pair: DescribedPair, settings: LinearSettings, tell: Callable[[float], None]
) -> list[tuple[str, np.ndarray]]:
    """Every translation, and small turns: the best few."""
    found = search(
        pair.target, pair.view, pair.descriptor, rotations(settings.angles), spacing=settings.search, tell=tell
    )
    likely = [start for start in found[:3] if start.similarity > LIKELY * found[0].similarity]
    return [(f"search {n + 1}", start.matrix) for n, start in enumerate(likely)]


def turned_starts(pair: DescribedPair, spacing: float, tell: Callable[[float], None]) -> list[tuple[str, np.ndarray]]:
    """The other 23 ways in which a scan may lie along the axes, then about the likeliest of them: the best two.

    Mirror images are none of them: nobody is turned inside out on the way from one scanner to the other.
    """
    turns = axis_turns()[1:]
    found = search(pair.target, pair.view, pair.descriptor, turns, spacing=spacing, tell=lambda f: tell(0.6 * f))
    fan = [small @ start.matrix[:3, :3] for start in found[:3] for small in rotations((FAN,))[1:]]
    found += search(pair.target, pair.view, pair.descriptor, fan, spacing=spacing, tell=lambda f: tell(0.6 + 0.4 * f))
    return [(f"turned {n + 1}", start.matrix) for n, start in enumerate(_apart(found)[:2])]


def _apart(starts: Sequence[Start]) -> list[Start]:
    """The best first, without those whose turn is within 40 degrees of a better one's."""
    kept: list[Start] = []
    for start in sorted(starts, key=lambda start: -start.similarity):
        if all(angle_between(start.matrix, other.matrix) > 40 for other in kept):
            kept.append(start)
    return kept


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Degrees between the rotations of two (4, 4)."""
    cosine = (np.trace(a[:3, :3].T @ b[:3, :3]) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def axis_turns() -> list[np.ndarray]:
    """(3, 3) the 24 rotations that lay axes on axes, the identity first."""
    turns = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.zeros((3, 3))
            turn[range(3), order] = signs
            if np.linalg.det(turn) > 0:
                turns.append(turn)
    return turns


def principal_axes(mask: torch.Tensor, image: Image) -> np.ndarray:
    """(3, 3) the mask's principal axes in RAS, as columns, permuted and flipped to be the nearest to R, A, S.

    Axes have no sign and no order of their own; people lie alike in every scanner, so the nearest is meant.
    """
    points = image.lattice.to_world(torch.nonzero(mask).numpy()[:: max(1, int(mask.sum()) // 50_000)])
    _, vectors = np.linalg.eigh(np.cov(points.T))
    order = [-1, -1, -1]
    weights = np.abs(vectors).copy()
    for _ in range(3):
        row, column = np.unravel_index(weights.argmax(), (3, 3))
        order[row] = column
        weights[row], weights[:, column] = -1, -1
    axes = vectors[:, order]
    axes = axes * np.sign(np.diag(axes))
    return axes if np.linalg.det(axes) > 0 else np.eye(3)

"""Choose and refine a linear start; keep it only where it helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import DsirError
from ..features.descriptor import Descriptor
from ..image import Image
from ..transform import Linear, Transform
from .frame import Described, describe, working_lattice
from .linear import LinearSettings, refine, similarity
from .search import about, centre_of_mass, search

STARTS = ("auto", "identity", "centre", "axes")
MODELS = ("none", "rigid", "affine")
MARGIN = 0.003
"""A search must beat the images' own positions by this much mean cosine: a scanner's positions are evidence."""


@dataclass(frozen=True)
class Alignment:
    """What the linear stage found.

    Attributes:
        matrix: (4, 4) fixed to moving, RAS mm (before the user's initial transform, where there is one).
        start: which start it grew from; ``"none"`` where nothing was better than no change.
        before, after: mean cosine over the fixed body, missing voxels counting 0.
    """

    matrix: np.ndarray
    start: str
    before: float
    after: float


def align(
    fixed: Image,
    moving: Image,
    fixed_mask: torch.Tensor,
    moving_mask: torch.Tensor,
    descriptor: Descriptor,
    settings: LinearSettings,
    *,
    initial: Transform | None = None,
    tell: Callable[[float, str], None] = lambda fraction, message: None,
) -> Alignment:
    """Find the linear part.

    Raises:
        DsirError: a setting that does not exist.
    """
    if settings.start not in STARTS or settings.model not in MODELS:
        raise DsirError(
            f"The linear start must be one of {', '.join(STARTS)} and the model one of {', '.join(MODELS)}; "
            f"got {settings.start!r} and {settings.model!r}."
        )
    lattice = working_lattice(fixed, fixed_mask, spacing=settings.spacing, margin=2 * settings.spacing)
    target = describe(descriptor, fixed, fixed_mask, lattice)
    parts = (fixed, moving, fixed_mask, moving_mask, descriptor)

    def score(matrix: np.ndarray) -> float:
        pose = Transform((Linear(matrix), *(initial.parts if initial else ())))
        return similarity(target, moving, moving_mask, descriptor, pose, settings.search)

    def improve(matrix: np.ndarray, model: str, spacing: float) -> np.ndarray:
        return refine(target, moving, moving_mask, descriptor, matrix, model=model, behind=initial, spacing=spacing)

    before = score(np.eye(4))
    if settings.model == "none" and (initial or settings.start == "identity"):
        return Alignment(np.eye(4), "none", before, before)
    best, best_score, name = np.eye(4), before, "none"
    candidates = [("identity", np.eye(4))] if initial else _candidates(target, parts, settings, tell)
    for n, (label, matrix) in enumerate(candidates):
        tell(0.5 + 0.2 * n / len(candidates), f"refining the start '{label}'")
        margin = MARGIN if label.startswith("search") and before > 0 else 0.0
        refined = improve(matrix, "rigid", settings.search) if settings.model != "none" else matrix
        for option in (matrix, refined):
            value = score(option) - margin
            if value > best_score:
                best, best_score, name = option, value, label
    if settings.model != "none":
        tell(0.75, "refining the rigid part")
        best, best_score = _better(best, improve(best, "rigid", settings.spacing), best_score, score)
    if settings.model == "affine":
        tell(0.9, "refining the affine part")
        best, best_score = _better(best, improve(best, "affine", settings.spacing), best_score, score)
    return Alignment(best, name, before, score(best))


def _better(old: np.ndarray, new: np.ndarray, value: float, score: Callable[[np.ndarray], float]):
    after = score(new)
    return (new, after) if after > value else (old, value)


def _candidates(target: Described, parts: tuple, settings: LinearSettings, tell) -> list[tuple[str, np.ndarray]]:
    fixed, moving, fixed_mask, moving_mask, descriptor = parts
    starts = [("identity", np.eye(4))]
    fixed_centre = centre_of_mass(fixed_mask, fixed.lattice)
    moving_centre = centre_of_mass(moving_mask, moving.lattice)
    if settings.start in ("centre", "axes"):
        starts.append(("centre", about(np.eye(3), fixed_centre, moving_centre)))
    if settings.start == "axes":
        turn = principal_axes(moving_mask, moving) @ principal_axes(fixed_mask, fixed).T
        starts.append(("axes", about(turn, fixed_centre, moving_centre)))
    if settings.start == "auto":
        found = search(
            target,
            moving,
            moving_mask,
            descriptor,
            angles=settings.angles,
            spacing=settings.search,
            tell=lambda fraction: tell(0.5 * fraction, "searching translations and rotations"),
        )
        starts += [(f"search {n + 1}", start.matrix) for n, start in enumerate(found[:3])]
    return starts


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

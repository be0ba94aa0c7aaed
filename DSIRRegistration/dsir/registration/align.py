"""Choose and refine a linear start; keep it only where it helps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..features.descriptor import Descriptor
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.linear import Linear
from ..transforms.rigid_fit import rigid_fit
from .landmark_forces import Pairs
from .linear import LinearSettings, Posed, refine
from .search import about, centre_of_mass, search
from .working_grid import FeatureMap, PreparedImage, describe, working_lattice

MARGIN = 0.003
"""A search must beat the images' own positions by this much mean cosine: a scanner's positions are evidence."""

LIKELY = 0.8
"""Share of the best start's mean cosine below which another one is not refined."""

VOXELS = 250_000
"""Of the lattice on which the linear stage works, at most."""


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
    landmarks: Pairs | None = None,
    tell: Callable[[float, str], None] = lambda fraction, message: None,
) -> Alignment:
    """Find the linear part.

    Args:
        initial: a start of the user's; it is built upon, not searched for.
        landmarks: pairs of points; without ``initial`` their best fit is the start, whatever the images seem to say.

    """
    settings = _affordable(fixed, fixed_mask, settings)
    lattice = working_lattice(fixed, fixed_mask, spacing=settings.spacing, margin=2 * settings.spacing)
    target = describe(descriptor, fixed, fixed_mask, lattice)
    view = PreparedImage.of(moving, moving_mask, settings.spacing)
    posed = Posed(view, descriptor, lattice, initial)
    coarse = target.on(settings.search)

    candidates: list[tuple[str, np.ndarray]] = []
    if landmarks is not None and len(landmarks) > 0 and initial is None:
        best, name = rigid_fit(landmarks.fixed, landmarks.moving, landmarks.confidence).matrix, "landmarks"
        _, _, before = refine(coarse, posed, np.eye(4), model="none", spacing=settings.search)
        best_score = 0.0
    else:
        best, name = np.eye(4), "none"
        turned, before, after = refine(coarse, posed, best, model=_rigid_if(settings), spacing=settings.search)
        if after > before:
            best, name = turned, "identity"
        best_score = max(before, after)
        if initial is None:
            candidates = _candidates(target, view, fixed, moving, fixed_mask, moving_mask, descriptor, settings, tell)
    seen = [np.eye(4), best]
    for n, (label, matrix) in enumerate(candidates):
        if label.startswith("search") and any(_distance(matrix, m, lattice) < settings.search for m in seen):
            continue  # the same hill
        tell(0.5 + 0.2 * n / len(candidates), f"refining the start '{label}'")
        refined, raw, after = refine(coarse, posed, matrix, model=_rigid_if(settings), spacing=settings.search)
        seen += [matrix, refined]
        margin = MARGIN if label.startswith("search") and before > 0 else 0.0
        for option, value in ((matrix, raw), (refined, after)):
            if value - margin > best_score:
                best, best_score, name = option, value, label
    score = before
    for fraction, model in ((0.75, "rigid"), (0.9, "affine")):
        if settings.model == "none" or (model == "affine" and settings.model != "affine"):
            continue
        tell(fraction, f"refining the {model} part")
        rounds = 1 if model == "rigid" else 2
        refined, raw, after = refine(target, posed, best, model=model, spacing=settings.spacing, rounds=rounds)
        best, score = (refined, after) if after > raw else (best, raw)
    return Alignment(best, name, before, score)


def _distance(a: np.ndarray, b: np.ndarray, lattice: Lattice) -> float:
    """mm between where two poses carry the corners of a lattice, at most."""
    corners = lattice.corners()
    return float(
        np.linalg.norm(Linear(a).transform_points(corners) - Linear(b).transform_points(corners), axis=1).max()
    )


def _affordable(fixed: Image, mask: torch.Tensor, settings: LinearSettings) -> LinearSettings:
    """Coarser spacings for a large body: twelve numbers need no more than :data:`VOXELS` voxels to be found."""
    extent = working_lattice(fixed, mask, spacing=settings.spacing, margin=0.0).extent
    factor = max(1.0, float(extent.prod() / settings.spacing**3 / VOXELS) ** (1 / 3))
    return replace(settings, spacing=factor * settings.spacing, search=factor * settings.search)


def _rigid_if(settings: LinearSettings) -> str:
    return "none" if settings.model == "none" else "rigid"


def _candidates(
    target: FeatureMap,
    view: PreparedImage,
    fixed: Image,
    moving: Image,
    fixed_mask: torch.Tensor,
    moving_mask: torch.Tensor,
    descriptor: Descriptor,
    settings: LinearSettings,
    tell: Callable[[float, str], None],
) -> list[tuple[str, np.ndarray]]:
    """Starts other than the images' own positions, by name."""
    starts: list[tuple[str, np.ndarray]] = []
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
            view,
            descriptor,
            angles=settings.angles,
            spacing=settings.search,
            tell=lambda fraction: tell(0.5 * fraction, "searching translations and rotations"),
        )
        likely = [start for start in found[:3] if start.similarity > LIKELY * found[0].similarity]
        starts += [(f"search {n + 1}", start.matrix) for n, start in enumerate(likely)]
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

"""Find the linear part: a start, then the model that the scans speak for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..features.descriptor import Descriptor
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.linear import Linear
from ..transforms.rigid_fit import rigid_fit
from .blocks import Blocks
from .evidence import Judge
from .landmark_forces import Pairs
from .linear import LinearSettings, Posed, body_mean, refine
from .linear_choice import Candidate, candidates, chosen
from .prepared_image import PreparedImage
from .starts import DescribedPair, named_starts, searched_starts, turned_starts
from .working_grid import FeatureMap, describe, working_lattice

MARGIN = 0.003
"""A search must beat the images' own positions by this much mean cosine: a scanner's positions are evidence."""

POOR = 0.45
"""Mean cosine on the search's lattice below which the scan may lie turned over, and all turns are tried (the
right way round scans reach 0.35 to 0.8 there, the wrong way 0.35: Testing/benchmarks/turns.py)."""

TURNED = 1.25
"""A scan that is turned over must agree so many times better: headers are mostly right."""

VOXELS = 250_000
"""Of the lattice on which the linear stage searches, at most."""

FINE_VOXELS = 250_000
"""Of the lattice on which the models are compared, at most."""


@dataclass(frozen=True)
class Alignment:
    """What the linear stage found.

    Attributes:
        matrix: (4, 4) fixed to moving, RAS mm (before the user's initial transform, where there is one).
        start: which start it grew from; ``"none"`` where nothing was better than no change.
        model: how many numbers it has: a key of :data:`.linear.NUMBERS`.
        candidates: what spoke for each model, where the scans decided.
        before, after: mean cosine over the fixed body, missing voxels counting 0.
    """

    matrix: np.ndarray
    start: str
    model: str = "affine"
    candidates: tuple[Candidate, ...] = ()
    before: float = 0.0
    after: float = 0.0

    def to_json(self, centre: np.ndarray) -> dict[str, Any]:
        """For the report; ``shift_mm``, ``turn_deg`` and ``scale_percent`` as they are at ``centre`` (RAS mm)."""
        return {
            "start": self.start,
            "model": self.model,
            "matrix": self.matrix.tolist(),
            "candidates": [candidate.to_json() for candidate in self.candidates],
            **Linear(self.matrix).amounts(centre),
        }


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
    grows: bool = True,
    tell: Callable[[float, str], None] = lambda fraction, message: None,
) -> Alignment:
    """Find the linear part.

    Args:
        initial: a start of the user's; it is built upon, not searched for.
        landmarks: pairs of points; without ``initial`` their best fit is the start, whatever the images seem to say.
        grows: whether ``"auto"`` may choose a scale; False for two scans of one person.
    """
    if settings.model == "none":
        return Alignment(np.eye(4), "none", "none")
    settings = _affordable(fixed, fixed_mask, settings)
    lattice = working_lattice(fixed, fixed_mask, spacing=settings.spacing, margin=2 * settings.spacing)
    target = describe(descriptor, fixed, fixed_mask, lattice)
    posed = Posed(PreparedImage.of(moving, moving_mask, settings.spacing), descriptor, lattice, initial)
    base = Candidate("none", np.eye(4))
    if landmarks is not None and len(landmarks) > 0 and initial is None:
        base = Candidate("rigid", rigid_fit(landmarks.fixed, landmarks.moving, landmarks.confidence).matrix)
        start, name = base.matrix, "landmarks"
    else:
        named = [] if initial is not None else named_starts(fixed, moving, fixed_mask, moving_mask, settings.start)
        start, name = _best_start(target, posed, named, settings, tell)
    tell(0.6, "refining the start")
    first = "translation" if settings.model == "translation" else "rigid"
    start = _improved(target, posed, start, first)
    fine = _fine_spacing(fixed, moving, fixed_mask, settings)
    lattice = working_lattice(fixed, fixed_mask, spacing=fine, margin=2 * fine)
    still = PreparedImage.of(fixed, fixed_mask, fine)
    target = describe(descriptor, still, None, lattice)
    posed = Posed(PreparedImage.of(moving, moving_mask, fine), descriptor, lattice, initial)
    agreed = posed.cosines(target, base.matrix)
    if settings.model != "auto":
        matrix = start
        for model in _up_to(settings.model):
            tell(0.8, f"refining the {model} part")
            matrix = _improved(target, posed, matrix, model)
        found: tuple[Candidate, ...] = (Candidate(settings.model, matrix),)
    else:
        tell(0.7, "choosing between shift, turn, scale and shear")
        judge = Judge.of(still, posed.view, Blocks.of(target.mask, lattice), lattice)
        models = ("rigid", *(("similarity", "affine") if grows else ()))
        if name == "identity":  # a shift alone means something only from where the scanner put the scans
            models = ("translation", *models)
        found = tuple(candidates(target, posed, judge, base, agreed, start, models))
    best = chosen(list(found))
    if best.model == "none":
        name = "none"
    before = after = body_mean(agreed, target.mask)
    if best.matrix is not base.matrix:
        after = body_mean(posed.cosines(target, best.matrix), target.mask)
    return Alignment(best.matrix, name, best.model, found if settings.model == "auto" else (), before, after)


def _best_start(
    target: FeatureMap,
    posed: Posed,
    named: list[tuple[str, np.ndarray]],
    settings: LinearSettings,
    tell: Callable[[float, str], None],
) -> tuple[np.ndarray, str]:
    """(4, 4) the likeliest start on the search's lattice, refined as a rigid one, and its name."""
    coarse = target.on(settings.search)

    def refined(matrix: np.ndarray) -> tuple[np.ndarray, float]:
        tried = refine(coarse, posed, matrix, model="rigid", spacing=settings.search)
        before, after = tried.before, tried.after
        return (tried.matrix, after) if after > before else (matrix, before)

    best, score = refined(np.eye(4))
    name, seen = "identity", [np.eye(4), best]
    searching = settings.start == "auto" and posed.behind is None
    pair = DescribedPair(target, posed.view, posed.descriptor)
    starts = named
    if searching:
        starts = searched_starts(pair, settings, lambda f: tell(0.3 * f, "searching translations and rotations"))
    for label, matrix in starts:
        if searching and any(_apart(matrix, m, target.lattice) < settings.search for m in seen):
            continue  # the same hill
        better, after = refined(matrix)
        seen += [matrix, better]
        if after > score + (MARGIN if searching else 0.0):
            best, score, name = better, after, label
    if searching and score < POOR:
        for label, matrix in turned_starts(pair, settings.search, lambda f: tell(0.3 + 0.3 * f, "searching all turns")):
            better, after = refined(matrix)
            if after > TURNED * score:
                best, score, name = better, after, label
    return best, name


def _improved(target: FeatureMap, posed: Posed, matrix: np.ndarray, model: str) -> np.ndarray:
    """(4, 4) refined on the target's own lattice, or as it was where that lowers the similarity."""
    tried = refine(target, posed, matrix, model=model, spacing=float(target.lattice.spacing[0]))
    return tried.matrix if tried.after > tried.before else matrix


def _up_to(model: str) -> tuple[str, ...]:
    """The models to be fitted one after the other until ``model`` is reached."""
    return ("translation",) if model == "translation" else tuple(dict.fromkeys(("rigid", model)))


def _apart(a: np.ndarray, b: np.ndarray, lattice: Lattice) -> float:
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


def _fine_spacing(fixed: Image, moving: Image, mask: torch.Tensor, settings: LinearSettings) -> float:
    """mm of the lattice on which models are compared: as asked, half the finer image's voxels at the least, and no more
    than :data:`FINE_VOXELS`. The coarser, the more a scale pretends (``brain_t1_t2``: 1.3 % at 4 mm, 0.4 % at 2)."""
    native = min(float(np.prod(image.lattice.spacing) ** (1 / 3)) for image in (fixed, moving))
    extent = working_lattice(fixed, mask, spacing=settings.spacing, margin=0.0).extent
    return max(settings.fine, native / 2, float(extent.prod() / FINE_VOXELS) ** (1 / 3))

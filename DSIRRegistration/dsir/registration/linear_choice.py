"""Which linear model the scans speak for: fitted to one half of the body, judged on the other.

A model with more numbers always fits better what it was fitted to. Here the body is cut into blocks like a chessboard;
each model is fitted to the white ones and judged on the black ones, and the other way round. It takes the place of a
simpler one only if it gains more there than the blocks disagree among themselves, if it moves the body by more than
nobody would notice, and if mutual information, which it was not fitted to, rises as well (:mod:`.evidence`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry.sampling import affine_grid
from ..transforms.linear import Linear
from .blocks import Blocks
from .evidence import SURE, Evidence, Judge
from .linear import NUMBERS, Places, Posed, cosines, index_to_world, nearest, refine
from .normal import normal_equations
from .search import centre_of_mass
from .working_grid import FeatureMap

SMALLEST = {"none": 0.0, "translation": 0.05, "rigid": 0.05, "similarity": 0.25, "affine": 0.25}
"""Voxels of the matching lattice by which a model must move the body, in the mean, beyond the one it would replace.
People lie a little differently in every scan; that they grew needs more to be said."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model and what speaks for it.

    Attributes:
        model: its name.
        matrix: (4, 4) fixed to moving, RAS mm, fitted to the whole body.
        similarity: mean cosine on the blocks it was not fitted to.
        gain: of that over the best simpler model.
        noise: standard error of the gain, from the differences between blocks.
        moved: mm by which it moves the body beyond the best simpler model, in the mean.
        evidence: what mutual information says of the same step.
        wins: whether it took the simpler one's place.
    """

    model: str
    matrix: np.ndarray
    similarity: float = 0.0
    gain: float = 0.0
    noise: float = 0.0
    moved: float = 0.0
    evidence: Evidence | None = None
    wins: bool = False

    def to_json(self) -> dict[str, object]:
        """For the report."""
        rounded = {name: round(getattr(self, name), 5) for name in ("similarity", "gain", "noise", "moved")}
        told = {"model": self.model, **rounded, "wins": self.wins}
        if self.evidence is not None and self.evidence.known:
            told |= {"information": round(self.evidence.rise, 5), "information_noise": round(self.evidence.noise, 5)}
        return told


def candidates(
    target: FeatureMap,
    posed: Posed,
    judge: Judge,
    base: Candidate,
    agreed: torch.Tensor,
    start: np.ndarray,
    models: tuple[str, ...],
) -> list[Candidate]:
    """The base, then each model fitted from where the one before it ended, the simplest first.

    Args:
        base: what is kept if nothing wins: the scanner's positions, or the fit to the user's landmarks.
        agreed: (I, J, K) cosines in the base's pose.
        start: (4, 4) fixed to moving, where the fits begin.
    """
    blocks, spacing = judge.blocks, float(target.lattice.spacing[0])
    body = target.lattice.to_world(torch.nonzero(target.mask > 0.5).numpy()[::50])
    sums = blocks.sums(agreed)
    best = replace(base, similarity=blocks.mean(sums)[0])
    found = [best]
    for model in sorted(models, key=NUMBERS.__getitem__):
        begin = shift_of(start, target) if model == "translation" else start
        matrix = refine(target, posed, begin, model=model, spacing=spacing, iterations=5).matrix
        start = start if model == "translation" else matrix
        others = held_out(target, posed, matrix, model, blocks)
        gain, noise = blocks.mean(others - sums)
        moved = distance(matrix, best.matrix, body)
        wins, evidence = gain > SURE * noise and moved > SMALLEST[model] * spacing, None
        if wins:
            evidence = judge.compare(posed.pose(best.matrix), posed.pose(matrix))
            wins = evidence.speaks_for
        found.append(Candidate(model, matrix, blocks.mean(others)[0], gain, noise, moved, evidence, wins))
        if wins:
            best, sums = found[-1], others
    return found


def chosen(found: list[Candidate]) -> Candidate:
    """The last that won over what was simpler, or the base."""
    return next((candidate for candidate in reversed(found) if candidate.wins), found[0])


def distance(a: np.ndarray, b: np.ndarray, points: np.ndarray) -> float:
    """Mean mm between where two matrices carry points (N, 3)."""
    apart = Linear(a).transform_points(points) - Linear(b).transform_points(points)
    return float(np.linalg.norm(apart, axis=1).mean()) if len(points) else 0.0


def shift_of(matrix: np.ndarray, target: FeatureMap) -> np.ndarray:
    """(4, 4) the translation that carries the middle of the body as ``matrix`` does."""
    centre = centre_of_mass(target.mask, target.lattice)
    shift = np.eye(4)
    shift[:3, 3] = matrix[:3, :3] @ centre + matrix[:3, 3] - centre
    return shift


def held_out(target: FeatureMap, posed: Posed, matrix: np.ndarray, model: str, blocks: Blocks) -> torch.Tensor:
    """(B,) sums of the cosine over the blocks, each by the fit to those of the other colour.

    At the fit to all blocks the two colours pull in opposite directions and not far: one Gauss-Newton step leads from
    there to the fit of one colour alone.
    """
    moving = posed.described(matrix)
    index = affine_grid(target.lattice, moving.lattice)
    equations = normal_equations(target.features, moving.features, moving.reach, target.mask, index, robust=1.0)
    places = Places(target.lattice.shape)
    for colour in (False, True):
        fitted = blocks.white == colour
        moved = places.solve(equations.matrix * fitted, equations.right * fitted, model)
        step = nearest(index_to_world(moved, target.lattice.affine), model)
        index = torch.where(fitted, index, affine_grid(target.lattice, moving.lattice, step))
    return blocks.sums(cosines(target, moving, index))

"""Improve a transform that is there already: nothing is searched for, the descent begins where it ended.

After one more accepted pair this takes seconds, where the whole pipeline would do its linear search again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..geometry.lattice import Lattice
from ..messages import Message
from ..transforms.composite import Transform, linear_matrix
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .descent import Level
from .landmark_forces import REACH, LandmarkForces, Pairs
from .regularity import composed, remove_folds

LOST = 6.0
"""mm; pairs that lie further than this from where the transform puts them speak against it. Where they outweigh the
others it is forgotten, and the pairs are the start: a descent does not come back from there (Testing/benchmarks/
steering.py: three pairs 10 mm off bent a wrong result to 4.2 mm; as the start of a new one they end at 1.6)."""

VOTE = 0.5
"""What the transform itself weighs against them: one pair alone overthrows it only if it is more likely right than
wrong."""

FEW = 2
"""Steps on each level but the coarsest: what the pairs change is smooth, and the rest was found before."""


def outvoted_by_landmarks(transform: Transform, pairs: Pairs | None) -> bool:
    """Whether the pairs, each as heavy as its confidence, say that the transform is not worth beginning from."""
    if pairs is None or len(pairs) == 0:
        return False
    far = distances(transform, pairs) > LOST
    return float(pairs.confidence[far].sum()) > VOTE + float(pairs.confidence[~far].sum())


def inlier_mask(transform: Transform, pairs: Pairs) -> np.ndarray:
    """(N,) bool, which pairs may bend a transform that is kept: not those far off that are likelier wrong than right;
    however little they weigh, over that way they would tear at it."""
    return (distances(transform, pairs) <= LOST) | (pairs.confidence > VOTE)


def outliers_warning(count: int, of: int) -> str:
    """What the report says of pairs that are left out."""
    return Message("pairs_left_out", count=count, of=of, mm=LOST)


def distances(transform: Transform, pairs: Pairs) -> np.ndarray:
    """(N,) mm between where the fixed points of the pairs go and where their partners are."""
    return np.linalg.norm(transform.transform_points(pairs.fixed) - pairs.moving, axis=1)


def linear_part(transform: Transform) -> np.ndarray:
    """(4, 4) all linear parts of a transform, one after the other, as one."""
    matrix = linear_matrix(Transform(tuple(part for part in transform.parts if isinstance(part, Linear))))
    assert matrix is not None  # of linear parts alone
    return matrix


def residual_field(transform: Transform, lattice: Lattice) -> DisplacementField:
    """What a transform does before its linear part: x + residual_field(x), then the linear part, is the transform."""
    back = Linear(np.linalg.inv(linear_part(transform)))
    return transform.then(back).displacement(lattice)


def followed_by_forces(field: DisplacementField, forces: LandmarkForces | None) -> DisplacementField:
    """The field, followed by the smoothest one that brings it to where the forces want it."""
    if forces is None:
        return field
    wanted = replace(forces, target=forces.target - field.at(forces.fixed))
    further = wanted.smooth_field(field.lattice.with_spacing(2 * REACH)).on(field.lattice)
    u: torch.Tensor = composed(field.to_index(), further.to_index())
    return DisplacementField.from_index(remove_folds(u)[0], field.lattice)


def fewer_iterations(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The levels of a descent that begins near its end."""
    return (levels[0], *(replace(level, iterations=min(level.iterations, FEW)) for level in levels[1:]))

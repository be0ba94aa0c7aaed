"""Pairs to register, with what is known about the answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.sampling import sample
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField, moved_index
from ..warp.labels import warp_labels
from .deformation import DeformationSettings, random_deformation


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Whole-number labels and where they lie; 0 is background.

    Attributes:
        data: (I, J, K) int16.
        lattice: where its voxels lie.
        names: what the values mean, where that is known.
    """

    data: torch.Tensor
    lattice: Lattice
    names: dict[int, str] = field(default_factory=dict)

    @property
    def values(self) -> list[int]:
        """The labels that occur, 0 left out."""
        return [int(v) for v in self.data.unique() if v != 0]

    def warped(self, mapping: Transform, reference: Lattice) -> LabelMap:
        """Pulled back onto ``reference`` through a reference-to-here transform, the way the product does it."""
        warped = warp_labels(self.data, self.lattice, mapping, reference)
        return LabelMap(warped.labels.to(self.data.dtype), reference, self.names)


@dataclass(frozen=True, eq=False)
class Case:
    """Two images and everything that tells how well they were registered.

    Attributes:
        name: for tables, with the seed where there is one.
        fixed, moving: the pair.
        truth: u(x) on the fixed lattice, RAS mm, where it is known.
        body: (I, J, K) bool on the fixed lattice: where errors count.
        fixed_labels, moving_labels: the same values on both sides, each on its own image's lattice.
        fixed_landmarks, moving_landmarks: (N, 3) RAS mm, row by row the same anatomical points.
        start: (3,) mm, moving minus fixed: brings the middles of the volumes together where the scanner's positions
            mean nothing (two persons, two visits); registrations may begin there.
    """

    name: str
    fixed: Image
    moving: Image
    body: torch.Tensor
    truth: DisplacementField | None = None
    fixed_labels: LabelMap | None = None
    moving_labels: LabelMap | None = None
    fixed_landmarks: np.ndarray | None = None
    moving_landmarks: np.ndarray | None = None
    start: np.ndarray | None = None


def known_case(
    name: str,
    to_warp: Image,
    partner: Image,
    body: torch.Tensor,
    labels: LabelMap | None = None,
    *,
    deformation: DeformationSettings | None = None,
    seed: int = 0,
    background: float = 0.0,
) -> Case:
    """A pair with a known answer from two aligned images A, B of one anatomy: fixed(x) = A(x + u(x)), moving = B.

    The moving image keeps its whole field of view; where x + u(x) leaves it, the fixed image shows background.

    Args:
        to_warp: A.
        partner: B, on the lattice of A.
        body: (I, J, K) bool on A's lattice.
        labels: on A's lattice; they are warped along.
        background: A's value outside its field of view.

    Raises:
        DsirError: the deformation asked for cannot be made without folds.
    """
    lattice = to_warp.lattice
    truth = random_deformation(lattice, deformation, seed=seed, mask=body)
    index = moved_index(truth, lattice)
    fixed = sample((to_warp.data - background)[None], index)[0] + background
    fixed_body = sample(body.float()[None], index)[0] > 0.5
    return Case(
        name=f"{name}:{seed}",
        fixed=Image(fixed, lattice),
        moving=partner,
        body=fixed_body,
        truth=truth,
        fixed_labels=labels.warped(Transform((truth,)), lattice) if labels else None,
        moving_labels=labels,
    )

"""The pairs on which the structures' lights are calibrated and judged: scans with contours, bent, crossed, spoiled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from dsir.evaluation.deformation import DeformationSettings, random_deformation
from dsir.files.images import read_image
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import sample
from dsir.shapes.structure import Structure
from dsir.similarity.random_contrast import random_contrast
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField, moved_index
from dsir.transforms.linear import Linear
from dsir.warp.pullback import pull_back
from labelled import Person, labelled

SPOILED = ("noise", "half", "body_part", "mirrored", "wrong_start")

INTER_FRACTION = 15.0
"""mm that organs move by between fractions, at most."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A pair with the organs on both sides.

    Attributes:
        kind: ``known``, ``two_persons`` or the way in which it was spoiled.
        source, reference: drawn on moving, and where that lies on fixed; the same names.
        truth: u(x) on the fixed lattice, mm, where it is known.
        start: kept as it is, where given: the registration does not search.
        persons: who must be left out of a fit that judges this pair.
    """

    name: str
    kind: str
    fixed: Image
    moving: Image
    source: tuple[Structure, ...]
    reference: tuple[Structure, ...]
    persons: tuple[str, ...]
    truth: DisplacementField | None = None
    start: Transform | None = None


def known(person: Person, seed: int, *, other_contrast: bool, partner: Image | None = None) -> Pair:
    """One person's scan bent by 1 to 15 mm, against itself with other noise, or in a contrast no scanner has.

    Args:
        partner: the same person's other scan, which lies on it; taken in the place of a made-up one.
    """
    rng = np.random.default_rng([seed, 9])
    grid, body = person.image.lattice, _body(person.image)
    settings = DeformationSettings(
        knots=float(rng.uniform(40, 70)),
        amplitude=float(rng.uniform(1, INTER_FRACTION)),
        translation=float(rng.uniform(0, 5)),
    )
    truth = random_deformation(grid, settings, seed=seed, mask=body)
    air = float(person.image.data.min())
    fixed = Image(sample((person.image.data - air)[None], moved_index(truth, grid))[0] + air, grid)
    grain = 0.02 * float(person.image.data[body].std())
    draw = torch.Generator().manual_seed(seed)
    moving = Image(person.image.data + grain * torch.randn(grid.shape, generator=draw), grid)
    if partner is not None:
        moving = partner
    elif other_contrast:
        moving = random_contrast(
            Image(person.image.data.clamp(-200, 400), grid) if air < 0 else person.image, body, seed=seed
        )
    bent = pull_back(person.structures, Transform((truth,)), grid, grid)
    names = {c.structure.name for c in bent if not c.structure.empty}
    return Pair(
        f"{person.name}_known_{seed}", "known", fixed, moving,
        tuple(s for s in person.structures if s.name in names),
        tuple(c.structure for c in bent if c.structure.name in names), (person.name,), truth,
    )  # fmt: skip


def two(one: Person, other: Person, *, kind: str = "two_persons") -> Pair:
    """Two scans with contours of their own, of two persons unless ``kind`` says otherwise."""
    names = {s.name for s in one.structures} & {s.name for s in other.structures}
    return Pair(
        f"{one.name}_{other.name}", kind, one.image, other.image,
        tuple(s for s in other.structures if s.name in names),
        tuple(s for s in one.structures if s.name in names), (one.name, other.name),
    )  # fmt: skip


def spoiled(data: Path, kind: str, person: Person, seed: int) -> Pair:
    """A pair that cannot be registered rightly, or whose result is kept wrong.

    Args:
        kind: one of :data:`SPOILED`.
    """
    pair = known(person, seed, other_contrast=False)
    moving, source, start = pair.moving, pair.source, None
    draw = torch.Generator().manual_seed(seed)
    if kind == "noise":
        spread = float(moving.data.std())
        moving = Image(moving.data.mean() + spread * torch.randn(moving.data.shape, generator=draw), moving.lattice)
    elif kind == "half":
        data = moving.data.clone()
        data[:, :, data.shape[2] // 2 :] = float(data.min())
        moving = Image(data, moving.lattice)
    elif kind == "body_part":
        part = "s12_brain_t1" if person.name.startswith("abdomen") else "s3_abdomen_ct"
        other = read_image(data / "train" / f"{part}.nii.gz")
        matrix = np.eye(4)
        matrix[:3, 3] = moving.lattice.centre - other.lattice.centre
        moving = Image(other.data, Lattice(other.lattice.shape, matrix @ other.lattice.affine)).on(moving.lattice)
    elif kind == "mirrored":
        other_side = labelled(data, person.name, mirrored=True)
        moving, source = other_side.image, other_side.structures
    elif kind == "wrong_start":
        matrix = np.eye(4)
        matrix[:3, 3] = 40.0 * np.array([np.sin(seed), np.cos(seed), 0.3])
        start = Transform((Linear(matrix),))
    return Pair(f"{person.name}_{kind}", kind, pair.fixed, moving, source, pair.reference, (person.name,), None, start)


def _body(image: Image) -> torch.Tensor:
    low = float(image.data.min())
    return image.data > (-400 if low < -500 else 50)

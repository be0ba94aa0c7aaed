"""What is known of a pair, and whether a transform is right by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from dsir.files.images import read_image, read_labels
from dsir.files.landmarks import read_landmarks
from dsir.files.transforms import read_transform
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.shapes.structure import StructureSet
from dsir.structures.propagate import propagate
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.workflow.measure import measure
from labelled import Person

CLOSE = 3.0
"""mm of mean error up to which a result is right (TG-132: 2 to 3 mm are within the uncertainty of registration)."""

TWO_ALIKE = 0.5
"""Mean Dice from which two persons' organs are laid upon each other; more is a matter of anatomy."""

FORTH_OF_REFERENCE = 5.0
"""mm; the reference of ``porcine_ct_t2`` is rigid and the object is not."""


@dataclass(frozen=True)
class Truth:
    """Attributes: the figure in words; whether the result is right."""

    text: str
    right: bool


def known_field(fixed: Image, field: DisplacementField | None) -> Callable[[Transform], Truth]:
    """Mean distance from a known deformation over the fixed body; None: from identity."""
    points = body_points(fixed)
    there = points + field.at(points) if field is not None else points

    def judged(found: Transform) -> Truth:
        apart = np.linalg.norm(found.transform_points(points) - there, axis=1)
        return Truth(f"{apart.mean():.1f} mm", bool(apart.mean() <= CLOSE))

    return judged


def dice_of(one: Person, other: Person) -> Callable[[Transform], Truth]:
    """Mean Dice of the organs that both have."""
    names = {s.name for s in one.structures} & {s.name for s in other.structures}
    source = StructureSet(other.image.lattice, tuple(s for s in other.structures if s.name in names))
    reference = StructureSet(one.image.lattice, tuple(s for s in one.structures if s.name in names))

    def judged(found: Transform) -> Truth:
        carried = propagate(source, found, one.image.lattice, reference=reference)
        return _by_dice(float(np.mean([verdict.measures.dice or 0.0 for verdict in carried.verdicts])))

    return judged


def given(folder: Path) -> Callable[[Transform], Truth]:
    """What a development pair tells of itself."""
    fixed = read_image(folder / "fixed.nii.gz")
    if (folder / "landmarks.csv").exists():
        pairs = read_landmarks(folder / "landmarks.csv")

        def judged(found: Transform) -> Truth:
            apart = np.linalg.norm(found.transform_points(pairs.fixed) - pairs.moving, axis=1).mean()
            return Truth(f"landmarks {apart:.1f} mm", bool(apart <= CLOSE))

        return judged
    reference = folder / "moving_to_fixed_rigid.tfm"
    if reference.exists():
        right = read_transform(reference).inverse(read_image(folder / "moving.nii.gz").lattice)
        points = body_points(fixed)
        there = right.transform_points(points)

        def near(found: Transform) -> Truth:
            apart = float(np.linalg.norm(found.transform_points(points) - there, axis=1).mean())
            return Truth(f"{apart:.1f} mm from the reference", apart <= FORTH_OF_REFERENCE)

        return near
    if (folder / "fixed_seg.nii.gz").exists() and folder.name != "head_ct_mr_template":
        labels = [read_labels(folder / f"{side}_seg.nii.gz") for side in ("fixed", "moving")]

        def by_labels(found: Transform) -> Truth:
            dice = measure(found, fixed_labels=labels[0], moving_labels=labels[1])["dice"]
            return _by_dice(dice["after"]["mean"])

        return by_labels
    return known_field(fixed, None)  # the scans share positions


def body_points(fixed: Image, count: int = 5000) -> np.ndarray:
    """(N, 3) RAS points of the fixed body."""
    index = torch.nonzero(body_mask(fixed)).numpy()
    return fixed.lattice.to_world(index[np.random.default_rng(0).permutation(len(index))[:count]])


def _by_dice(dice: float) -> Truth:
    return Truth(f"Dice {dice:.2f}", dice >= TWO_ALIKE)

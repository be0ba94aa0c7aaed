"""The pairs on which the verdict is tried: good ones, whose truth is known, and ones spoiled on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from catalogue import KNOWN
from dsir.evaluation.deformation import DeformationSettings, random_deformation
from dsir.files.images import read_image
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import sample
from dsir.similarity.random_contrast import random_contrast
from dsir.transforms.composite import Transform
from dsir.transforms.field import moved_index
from dsir.transforms.linear import Linear
from labelled import neck
from verdict_truth import Truth, dice_of, given, known_field

CASES = (
    "brain_stroke", "brain_t1_t2", "lung_ct", "prostate_t2_adc", "neck_t1_t2", "head_ct_mr_template", "porcine_ct_t2",
    "abdomen_ct_mr", "planning_ct_pair",
)  # fmt: skip
TWO_PERSONS = ("abdomen_ct_mr", "planning_ct_pair")
NECKS = (
    "024", "054", "060", "083", "096", "099", "109", "112", "115", "133", "155", "200", "230", "233", "236", "017",
    "034",
)  # fmt: skip
CONTRASTS = (
    ("p1_stroke_t1", "p1_stroke_t2"), ("p1_stroke_flair", "p1_stroke_t1"), ("p5_glioma_t1", "p5_glioma_t2"),
    ("p5_glioma_flair", "p5_glioma_t1c"),
)  # fmt: skip
SINGLE = ("s11_brain_t1", "s12_brain_t1", "s14_brain_t1", "s18_brain_t2", "s3_abdomen_ct", "s6_heart_cta")
BODIES = ("neck_024", "p1_stroke_t1", "s3_abdomen_ct", "neck_155", "s12_brain_t1", "s6_heart_cta")
SPOILED = ("blank_top", "blank_right", "mirrored", "mirrored_other_contrast", "wrong_start", "other_patient")
SPOILED_PLAINLY = ("noise", "half_view", "body_part")
"""Tried on half of the bodies: nobody has ever been misled by them, and they take the longest."""

UNSEEN = (
    "brain_t1_t2/fixed", "brain_t1_t2/moving", "lung_ct/moving", "abdomen_ct_mr/fixed_full",
    "head_ct_mr_template/fixed", "head_ct_mr_template/moving", "head_ct_mr_template/moving_t2", "porcine_ct_t2/fixed",
)  # fmt: skip
"""Scans of ``cases/`` that were in no pair on which a threshold was set but as they are."""

BENT = 4
"""Deformations of each pair of ``peers.py``."""

SPACING = 2.0
"""mm at which single scans are taken, at the least: a fair verdict needs no more, and this machine has no time."""

INTER_FRACTION = 15.0
"""mm that organs move by between fractions, at most."""


@dataclass(frozen=True, eq=False)
class Case:
    """A pair, and what is right.

    Attributes:
        kind: of the good ones ``given``, ``itself``, ``known`` or ``two_persons``; else how it was spoiled.
        start: kept as it is, where given: the registration does not search.
        same_person: what a user would say of it; None: nothing.
        truth: judges the transform; None for pairs that cannot be right.
    """

    name: str
    kind: str
    fixed: Image
    moving: Image
    start: Transform | None = None
    same_person: bool | None = None
    truth: Callable[[Transform], Truth] | None = None


def good(data: Path) -> Iterator[Case]:
    """Development pairs, scans with themselves, known deformations, two persons."""
    for name in CASES:
        folder = data / "cases" / name
        if not folder.is_dir():
            continue
        fixed, moving = (read_image(folder / f"{side}.nii.gz") for side in ("fixed", "moving"))
        two = name in TWO_PERSONS
        yield Case(name, "two_persons" if two else "given", fixed, moving, None, False if two else None, given(folder))
        if name in ("brain_stroke", "lung_ct"):
            yield Case(f"{name} with itself", "itself", fixed, fixed, truth=known_field(fixed, None))
    for seed, number in enumerate(NECKS):
        yield known(f"neck_{number}", body(data, f"neck_{number}"), None, seed)
    for seed, name in enumerate(SINGLE, start=20):
        yield known(name, body(data, name), None, seed)
    for seed, (name, other) in enumerate(CONTRASTS, start=30):
        yield known(f"{name} to {other}", body(data, name), body(data, other), seed)
    for n in range(0, len(NECKS), 3):  # whole scans: what a cut leaves of one person need not be there of another
        one, other = (neck(data, NECKS[m % len(NECKS)], margin=None) for m in (n, n + 5))
        truth = dice_of(one, other)
        yield Case(f"{one.name} and {other.name}", "two_persons", one.image, other.image, None, False, truth)


def unseen(data: Path) -> Iterator[Case]:
    """Known deformations of scans on which no threshold was set; then the necks and brains again, bent otherwise."""
    for seed, again in ((500, ""), (509, " again")):
        for n, name in enumerate(UNSEEN):
            image = _coarser(read_image(data / "cases" / f"{name}.nii.gz"))
            yield known(name + again, image, None, seed + n, "unseen")
    for n, name in enumerate((*(f"neck_{number}" for number in NECKS), *SINGLE)):
        yield known(f"{name} again", body(data, name), None, 601 + n, "again")


def bent(data: Path) -> Iterator[Case]:
    """The known pairs of ``peers.py``, bent by up to 14 mm with 38 mm between knots: more than the others."""
    for seed in range(BENT):
        for build in KNOWN.values():
            pair = build(data / "cases", seed)
            yield Case(pair.name, "bent", pair.fixed, pair.moving, truth=known_field(pair.fixed, pair.truth))


def spoiled(data: Path) -> Iterator[Case]:
    """Pairs that nobody can register, and results kept wrong."""
    for seed, name in enumerate(BODIES, start=100):
        image = body(data, name)
        pair = known(name, image, None, 2 * seed)  # the same contrast on both sides
        for kind in (*SPOILED, *(SPOILED_PLAINLY if seed % 2 == 0 else ())):
            yield _spoiled(data, name, kind, pair, seed)


def body(data: Path, name: str) -> Image:
    """A scan by name: necks cut to their organs, others at 2 mm at the finest."""
    if name.startswith("neck_"):
        return neck(data, name.removeprefix("neck_")).image
    return _coarser(read_image(data / "train" / f"{name}.nii.gz"))


def _coarser(image: Image) -> Image:
    wanted = np.maximum(image.lattice.spacing, SPACING)
    return image if np.allclose(wanted, image.lattice.spacing) else image.on(image.lattice.with_spacing(wanted))


def known(name: str, image: Image, other: Image | None, seed: int, kind: str = "known") -> Case:
    """A scan bent by 1 to 15 mm, and itself with noise, in a made-up contrast (odd seeds), or in ``other``."""
    rng = np.random.default_rng([seed, 9])
    grid, inside = image.lattice, body_mask(image)
    settings = DeformationSettings(
        knots=float(rng.uniform(40, 70)),
        amplitude=float(rng.uniform(1, INTER_FRACTION)),
        translation=float(rng.uniform(0, 5)),
    )
    field = random_deformation(grid, settings, seed=seed, mask=inside)
    air = float(image.data.min())
    fixed = Image(sample((image.data - air)[None], moved_index(field, grid))[0] + air, grid)
    if other is not None:
        moving = other
    elif seed % 2:
        moving = random_contrast(Image(image.data.clamp(-200, 400), grid) if air < 0 else image, inside, seed=seed)
    else:
        grain = 0.02 * float(image.data[inside].std())
        moving = Image(image.data + grain * torch.randn(grid.shape, generator=_draw(seed)), grid)
    return Case(f"{name}, {settings.amplitude:.0f} mm", kind, fixed, moving, truth=known_field(fixed, field))


def mirrored(image: Image) -> Image:
    """Left and right exchanged, on the same grid."""
    return Image(image.data.flip(0), image.lattice)


def noise(image: Image, seed: int) -> Image:
    """Nothing but noise, as bright as the image."""
    grain = torch.randn(image.data.shape, generator=_draw(seed))
    return Image(image.data.mean() + image.data.std() * grain, image.lattice)


def blank(image: Image, axis: int) -> Image:
    """The upper half of an axis is background."""
    data = image.data.clone()
    half = data.shape[axis] // 2
    data.narrow(axis, half, data.shape[axis] - half).fill_(float(data.min()))
    return Image(data, image.lattice)


def halved(image: Image) -> Image:
    """The lower half of the field of view."""
    shape = (*image.lattice.shape[:2], image.lattice.shape[2] // 2)
    return Image(image.data[:, :, : shape[2]].clone(), image.lattice.window(np.zeros(3, dtype=int), shape))


def laid_over(image: Image, target: Lattice) -> Image:
    """Moved so that the middles meet, on the target's grid."""
    matrix = np.eye(4)
    matrix[:3, 3] = target.centre - image.lattice.centre
    return Image(image.data, Lattice(image.lattice.shape, matrix @ image.lattice.affine)).on(target)


def wrong_start(seed: int) -> Transform:
    """A start that is wrong by 40 mm, mostly across."""
    matrix = np.eye(4)
    matrix[:3, 3] = 40.0 * np.array([np.sin(seed), np.cos(seed), 0.3])
    return Transform((Linear(matrix),))


def _spoiled(data: Path, name: str, kind: str, pair: Case, seed: int) -> Case:
    moving, start, same = pair.moving, None, None
    if kind == "noise":
        moving = noise(moving, seed)
    elif kind.startswith("blank"):
        moving = blank(moving, 2 if kind == "blank_top" else 0)
    elif kind == "half_view":
        moving = halved(moving)
    elif kind == "body_part":
        part = "s12_brain_t1" if name[:2] in ("s3", "s6") else "s3_abdomen_ct"
        moving = laid_over(body(data, part), moving.lattice)
    elif kind == "mirrored":
        moving = mirrored(moving)
    elif kind == "mirrored_other_contrast":
        moving = mirrored(known(name, body(data, name), None, 2 * seed + 1).moving)
    elif kind == "wrong_start":
        start = wrong_start(seed)
    elif kind == "other_patient":  # said to be one person's
        moving, same = body(data, _another(name)), True
    return replace(pair, name=f"{name}, {kind}", kind=kind, moving=moving, start=start, same_person=same, truth=None)


def _another(name: str) -> str:
    """Somebody else's scan of the same part."""
    others = {"p1_stroke_t1": "s14_brain_t1", "p5_glioma_t2": "s18_brain_t2", "s12_brain_t1": "s11_brain_t1"}
    others |= {"s3_abdomen_ct": "s6_heart_cta", "s6_heart_cta": "s3_abdomen_ct"}
    return others.get(name) or f"neck_{NECKS[(NECKS.index(name.removeprefix('neck_')) + 3) % len(NECKS)]}"


def _draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)

"""What the scans say of a result, by mutual information, which no step of the registration maximises.

The result is compared with where it began, with itself pushed aside, and with the best that is found when left and
right are exchanged, unless the scans are their own mirror images; and the fixed body has to meet something in the
moving scan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..geometry.sampling import gaussian_blur
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from .blocks import Blocks
from .body_parts import Parts
from .evidence import SURE, Evidence, Judge
from .findings import Finding
from .laterality import mirrored_results
from .places_near import against_places_near, moves, shifted
from .prepared_image import PreparedImage
from .reasons import reason

ASIDE = 15.0
"""mm by which the result is pushed aside along each axis, both ways: the right place must be better than all six."""

JUDGED = 120_000
"""Voxels of the lattice on which mutual information is taken, at most."""

MOVED = 3.0
"""mm; a result that moves the body less than this need not raise the mutual information (TG-132: 2 to 3 mm are within
the uncertainty of registration, Brock et al., Med Phys 44(7), 2017)."""

EMPTY, MOSTLY_EMPTY = 0.15, 0.5
"""Share of the fixed body that may meet background in the moving scan before one has to look, and before it fails."""

BLANK_THERE = "It lies in a part of the body of which the moving scan shows background only, or nearly."
"""Of a structure in a part of which more than :data:`EMPTY` is blank."""

FLAT, AROUND = 0.2, 6.0
"""Slope of the grey levels around a voxel (Gaussian of so many mm), in the body's own mean, below which background is
empty and no dark organ. Measured as shares of the fixed body: half a scan blank, with noise of up to 15 % in it, 0.34
to 0.50; lung and brain as dark as air in six right necks 0.01 to 0.08, where 0.11 to 0.20 lie outside of the mask."""

SIDED = 0.10
"""Share of its mutual information that a result has to lose when the sides are exchanged. Measured: one person, 0.15
(a symmetric template with itself) and 0.25 to 0.75; two persons' necks 0.18 to 0.33; two persons' brains -0.09 to 0.02;
mirrored scans -0.22 to -3.3."""

UNSURE = "sides_unsure"
"""What is said where the two are about as good."""

SYMMETRIC = 0.95
"""Correlation with its own mirror image, deformed onto it, from which a scan has no sides: exchanging them would change
nothing. Measured: averages of many heads 0.99 to 1.00, bent by up to 12 mm 0.985 to 0.995; 8 scans of people 0.71 to
0.91."""


def judged_by_images(
    fixed: Image,
    moving: Image,
    masks: tuple[torch.Tensor, torch.Tensor],
    begin: Transform,
    end: Transform,
    *,
    same_person: bool | None = None,
) -> list[Finding]:
    """What mutual information says of a result: against where it began, places beside it, and its mirror image.

    Args:
        masks: (I, J, K) bool of fixed and moving on their own lattices.
        begin, end: fixed to moving.
        same_person: what is known of whose scans they are; two persons' heads do not tell right from left.
    """
    spacing = _spacing(fixed)
    still, pulled = PreparedImage.of(fixed, masks[0], spacing), PreparedImage.of(moving, masks[1], spacing)
    judge = Judge.on(still.lattice.with_spacing(spacing), still, pulled)
    exchanged = [judge.compare(other, end) for other in mirrored_results(fixed, moving, masks, end)]
    sides = _against_mirrored(exchanged, same_person)
    unsure = [found.code for found in sides] == [UNSURE]
    if unsure and _symmetric(fixed, masks[0]) and _symmetric(moving, masks[1]):
        sides = []
    return [
        *_against_nothing(judge, end),
        *_against_start(judge, masks[0], fixed.lattice, begin, end),
        *_against_places_beside(judge, end),
        *against_places_near(judge, end, two_persons=same_person is False),
        *sides,
    ]


def _spacing(image: Image) -> float:
    """mm of the lattice on which a scan is judged."""
    return max(float((image.lattice.extent.prod() / JUDGED) ** (1 / 3)), 2.0)


def _against_nothing(judge: Judge, end: Transform) -> list[Finding]:
    """Does the body meet a body? A scan of which half is blank agrees with itself in the other half."""
    values, body, seen = judge.pulled(end)
    inside = judge.blocks.judged
    there, slope = inside * seen, _slope(values, AROUND / float(judge.lattice.spacing[0]))
    met = there * (body > 0.5)
    flat = slope < FLAT * (slope * met).sum() / met.sum() if met.any() else there > 0
    blank = there * (body < 0.5) * flat
    share = float(blank.sum() / inside.sum().clamp(min=1e-6))
    if share <= EMPTY:
        return []
    text = f"{100 * share:.0f} % of the fixed body lie where the moving scan shows no body, only background."
    if share > MOSTLY_EMPTY:
        return [Finding("blank", "FAIL", text, {"share": share})]
    parts = Parts.of(judge)
    empty = parts.sums(blank) > EMPTY * parts.sums(inside)
    places = parts.places(empty, BLANK_THERE)
    return [Finding("blank", "CHECK", text, {"share": share}, places)]


def _slope(values: torch.Tensor, sigma: float) -> torch.Tensor:
    """(I, J, K) length of the grey levels' gradient, averaged around each voxel by a Gaussian of ``sigma`` voxels."""
    axes = [axis for axis in range(3) if values.shape[axis] > 1]
    if not axes:
        return torch.zeros_like(values)
    return gaussian_blur(torch.stack(torch.gradient(values, dim=axes)).norm(dim=0)[None], [sigma] * 3)[0]


def _symmetric(image: Image, mask: torch.Tensor) -> bool:
    """Whether a scan is its own mirror image, but for where it lies and how it is bent."""
    spacing = _spacing(image)
    prepared = PreparedImage.of(image, mask, spacing)
    lattice = image.lattice.with_spacing(spacing)
    as_it_lies = Transform((DisplacementField.identity(lattice),))  # a field: so that its mirror image may bend
    mirrored = mirrored_results(image, image, (mask, mask), as_it_lies)
    return max(_correlation(prepared, lattice, mirror) for mirror in mirrored) > SYMMETRIC


def _correlation(prepared: PreparedImage, lattice: Lattice, pose: Transform) -> float:
    """Of an image with itself in another pose, within its body; 0 where they share none."""
    (values, body, _), (other, _, seen) = (prepared.on(lattice, to) for to in (Transform(), pose))
    weight = Blocks.of(body, lattice).judged * seen
    if not weight.any():
        return 0.0
    values, other = ((v - (v * weight).sum() / weight.sum()) * weight.sqrt() for v in (values, other))
    return float((values * other).sum() / (values.norm() * other.norm()).clamp(min=1e-12))


def _against_mirrored(compared: Sequence[Evidence], same_person: bool | None) -> list[Finding]:
    """Are right and left where they belong? The result against each with the sides exchanged."""
    worst = min((found for found in compared if found.known), key=lambda found: found.rise, default=None)
    if worst is None:
        return []
    share = worst.rise / max(worst.whole, 1e-12)
    values = {"rise": worst.rise, "noise": worst.noise, "share": share}
    if worst.rise < -SURE * worst.noise and share < -SIDED:
        text = "With left and right of the moving scan exchanged the two agree better: one of them is mirrored."
        return [Finding("mirrored", "FAIL", text, values)]
    if share < SIDED and same_person is not False:
        text = (
            "With left and right of the moving scan exchanged the two agree about as well: one person's scans hardly "
            "do. If they are of two persons, say so (preset two_persons)."
        )
        return [Finding(UNSURE, "CHECK", text, values)]
    return []


def _against_start(
    judge: Judge, mask: torch.Tensor, lattice: Lattice, begin: Transform, end: Transform
) -> list[Finding]:
    moved = _moved(mask, lattice, begin, end)
    found = judge.compare(begin, end)
    values = {"rise": found.rise, "noise": found.noise, "moved_mm": moved}
    if not found.known or moved < MOVED / 3:
        return []
    if found.rise < -SURE * found.noise:
        return [
            Finding("worse_than_start", "FAIL", "Mutual information is lower than before: worse than nothing.", values)
        ]
    if moved > MOVED and not found.speaks_for:
        return [reason("no_better_than_start", "CHECK", values)]
    return []


def _moved(mask: torch.Tensor, lattice: Lattice, begin: Transform, end: Transform) -> float:
    """mm between where the two put the body's voxels, in the mean (of a few thousand)."""
    at = mask.nonzero()
    points = lattice.to_world(at[:: max(1, len(at) // 3000)].numpy())
    return float(np.linalg.norm(end.transform_points(points) - begin.transform_points(points), axis=1).mean())


def _against_places_beside(judge: Judge, end: Transform) -> list[Finding]:
    """Is the result a peak? In a wrong place mutual information hardly changes, or rises, when it is pushed aside."""
    compared = [judge.compare(shifted(end, move), end) for move in moves(ASIDE)]
    known = [found for found in compared if found.known]
    if len(known) < 2:
        text = "Too little of the body is seen in both scans to judge the result by mutual information."
        return [Finding("not_judged", "CHECK", text, {"directions": float(len(known))})]
    better = sum(found.rise < 0 for found in known)
    unsure = sum(not found.speaks_for for found in known)
    values = {
        "directions": float(len(known)),
        "better_aside": float(better),
        "unsure": float(unsure),
        "hardly_worse": float(max(better, unsure)),
        "aside_mm": ASIDE,
    }
    if better > len(known) / 3:
        return [reason("not_a_peak", "FAIL", values)]
    if better or unsure > len(known) / 3:
        return [reason("weak_peak", "CHECK", values)]
    return []

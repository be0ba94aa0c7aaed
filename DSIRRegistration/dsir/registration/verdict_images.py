"""What the scans themselves say of a result, by a witness that nothing is fitted to: mutual information.

The result is compared with where it began, with itself pushed aside, and with the best that is found when left and
right are exchanged; and the fixed body has to meet something in the moving scan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.linear import Linear
from .evidence import SURE, Evidence, Judge
from .findings import Finding
from .sides import mirrored_results
from .working_grid import PreparedImage

ASIDE = 15.0
"""mm by which the result is pushed aside along each axis, both ways: the right place must be better than all six."""

JUDGED = 120_000
"""Voxels of the lattice on which mutual information is taken, at most."""

MOVED = 3.0
"""mm; a result that moves the body less than this need not raise the mutual information (TG-132: 2 to 3 mm are within
the uncertainty of registration, Brock et al., Med Phys 44(7), 2017)."""

EMPTY, MOSTLY_EMPTY = 0.15, 0.5
"""Share of the fixed body that may meet background in the moving scan before one has to look, and before it fails."""

SIDED = 0.10
"""Share of its mutual information that a result has to lose when the sides are exchanged. Measured: one person, 0.15
(a symmetric template with itself) and 0.25 to 0.75; two persons' necks 0.18 to 0.33; two persons' brains -0.09 to 0.02;
mirrored scans -0.22 to -3.3."""


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
    spacing = max(float((fixed.lattice.extent.prod() / JUDGED) ** (1 / 3)), 2.0)
    still, pulled = PreparedImage.of(fixed, masks[0], spacing), PreparedImage.of(moving, masks[1], spacing)
    judge = Judge.on(still.lattice.with_spacing(spacing), still, pulled)
    exchanged = mirrored_results(fixed, moving, masks, end)
    return [
        *_against_nothing(judge, end),
        *_against_start(judge, masks[0], fixed.lattice, begin, end),
        *_against_places_beside(judge, end),
        *_against_mirrored([judge.compare(other, end) for other in exchanged], same_person),
    ]


def _against_nothing(judge: Judge, end: Transform) -> list[Finding]:
    """Does the body meet a body? A scan of which half is blank agrees with itself in the other half."""
    _, body, seen = judge.moving.on(judge.lattice, end)
    inside = judge.blocks.judged
    share = float((inside * seen * (body < 0.5)).sum() / inside.sum().clamp(min=1e-6))
    if share <= EMPTY:
        return []
    text = f"{100 * share:.0f} % of the fixed body lie where the moving scan shows no body, only background."
    return [Finding("blank", "FAIL" if share > MOSTLY_EMPTY else "CHECK", text, {"share": share})]


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
        return [Finding("sides_unsure", "CHECK", text, values)]
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
        text = f"The body was moved by {moved:.0f} mm, and mutual information does not say that this is better."
        return [Finding("no_better_than_start", "CHECK", text, values)]
    return []


def _moved(mask: torch.Tensor, lattice: Lattice, begin: Transform, end: Transform) -> float:
    """mm between where the two put the body's voxels, in the mean (of a few thousand)."""
    at = mask.nonzero()
    points = lattice.to_world(at[:: max(1, len(at) // 3000)].numpy())
    return float(np.linalg.norm(end.transform_points(points) - begin.transform_points(points), axis=1).mean())


def _against_places_beside(judge: Judge, end: Transform) -> list[Finding]:
    """Is the result a peak? In a wrong place mutual information hardly changes, or rises, when it is pushed aside."""
    compared: list[Evidence] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            matrix = np.eye(4)
            matrix[axis, 3] = sign * ASIDE
            compared.append(judge.compare(end.then(Linear(matrix)), end))
    known = [found for found in compared if found.known]
    if len(known) < 2:
        text = "Too little of the body is seen in both scans to judge the result by mutual information."
        return [Finding("not_judged", "CHECK", text, {"directions": float(len(known))})]
    better = sum(found.rise < 0 for found in known)
    unsure = sum(not found.speaks_for for found in known)
    values = {"directions": float(len(known)), "better_aside": float(better), "unsure": float(unsure)}
    if better > len(known) / 3:
        text = f"Pushed aside by {ASIDE:.0f} mm the scans agree as well or better: this is not the right place."
        return [Finding("not_a_peak", "FAIL", text, values)]
    if better or unsure > len(known) / 3:
        text = (
            f"Pushed aside by {ASIDE:.0f} mm the scans agree hardly worse in {max(better, unsure)} of {len(known)} "
            "directions: look whether this is the right place."
        )
        return [Finding("weak_peak", "CHECK", text, values)]
    return []

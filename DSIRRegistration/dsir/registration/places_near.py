"""Does the result lie at its peak of mutual information, as a whole and in each part of the body?

A start that was kept or a step that was refused can leave the whole a few mm off, and a deformation can be right in the
mean and wrong in places. Both show when the result is shifted a little: what lies right only gets worse by it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..metrics.mutual_information import GROUPS, joint_histograms, levels, rise
from ..transforms.composite import Transform
from ..transforms.linear import Linear
from .body_parts import Parts
from .evidence import SURE, Evidence, Judge, Pulled
from .findings import Finding
from .reasons import reason

STEPS = (3.0, 1.5)
"""mm of a shift along an axis; parts are shifted by the first alone (TG-132: 2 to 3 mm are within the uncertainty of
registration, Brock et al., Med Phys 44(7), 2017)."""

AS_FAR = 9.0
"""mm that the whole is shifted by at most: what is further off is found out by the places aside."""

NEAR = 2.5
"""mm from the result to where no shift is better. Measured with 23 pairs of one person laid where they belong: 0 to
1.5, and 2.1 where a brain's T1 and T2 lie 1.4 mm apart as they come; the same pairs laid 3 mm off 2.6 to 3.7, 4 mm off
3.4 to 4.7."""

LEAST, SHARE = 800, 0.02
"""Voxels and share of the judged body in a part that says anything."""

BINS = 16
"""Grey levels in a part, which has fewer voxels than the whole."""

PARTS, OF_TWO = 1 / 4, 1 / 2
"""Of the parts that may agree better when shifted, for their mutual information has noise; of two persons, who differ
by more than 3 mm in many places. Measured: one person's right results 0 to 0.14, a neck that is 5 to 9 mm off in places
0.32, right results bent by 3 mm in the mean 0.5 to 1; two persons' necks 0, 0, 0.36 and 0.43, a poor one 0.7, abdomens
0.75."""

MOST = 1 / 2
"""Of the parts: where more of them are off it is the whole that is off, and no part is vouched for."""


def against_places_near(judge: Judge, end: Transform, *, two_persons: bool = False) -> list[Finding]:
    """The result against itself shifted by a few mm, as a whole, then part by part."""
    around = [judge.moving.on(judge.lattice, shifted(end, move)) for move in moves(STEPS[0])]
    shift, gain = _higher(judge, end, around)
    away = float(np.linalg.norm(shift))
    if away > NEAR and gain.speaks_for:
        values = {"shift_mm": away, "rise": gain.rise, "noise": gain.noise}
        return [reason("better_nearby", "CHECK", values)]
    parts = Parts.of(judge)
    best = _gains(judge, end, parts, around)
    told = np.isfinite(best)
    off = int((best[told] > 0).sum())
    many = off > (OF_TWO if two_persons else PARTS) * told.sum()
    if not many and (two_persons or not (best[told] > SURE).any()):
        return []
    place = parts.centres[int(np.nanargmax(np.where(told, best, -np.inf)))]
    values = {
        "parts": float(off),
        "of": float(told.sum()),
        "unseen_parts": float((~told).sum()),
        "step_mm": STEPS[0],
        **dict(zip(("right_mm", "front_mm", "top_mm"), place.tolist(), strict=True)),
    }
    places = parts.places(~(best <= 0), "") if off <= MOST * told.sum() else None  # the words are the reason's
    return [reason("better_in_parts", "CHECK", values, places)]


def _higher(judge: Judge, end: Transform, around: Sequence[Pulled]) -> tuple[np.ndarray, Evidence]:
    """(3,) mm: the shift uphill from the result to where no step is better, and what speaks for it.

    Args:
        around: the moving image shifted by each of the first steps.
    """
    shift, best = np.zeros(3), Evidence(0.0, 0.0)
    for step in STEPS:
        while True:
            tried = [there for move in moves(step) if np.linalg.norm(there := shift + move) <= AS_FAR]
            if step == STEPS[0] and not shift.any():
                found = [judge.compare_pulled(pulled, end) for pulled in around]
            else:
                found = [judge.compare(shifted(end, there), end) for there in tried]
            gains = [-evidence.rise if evidence.known else 0.0 for evidence in found]
            top = int(np.argmax(gains))
            if gains[top] <= best.rise:
                break
            shift, best = tried[top], Evidence(gains[top], found[top].noise)
        if not shift.any():  # no long step is better: the best place is within half of one
            break
    return shift, best


def _gains(judge: Judge, end: Transform, parts: Parts, around: Sequence[Pulled]) -> np.ndarray:
    """(R,) standard errors by which the best shift raises each part's mutual information; NaN: too little is seen."""
    count = len(parts.centres)
    best = np.full(count, np.nan)
    fixed = judge.fixed * BINS // (int(judge.fixed.max()) + 1)
    groups = parts.number * GROUPS + judge.group
    values, _, seen = judge.pulled(end)
    enough = max(LEAST, SHARE * float(judge.blocks.judged.sum()))
    for others, _, also in around:
        weight = judge.blocks.judged * seen * also
        there, here = (joint_histograms(fixed, levels(v, weight, BINS), weight, groups, BINS) for v in (others, values))
        for n in range(count):
            part = slice(n * GROUPS, (n + 1) * GROUPS)
            if here[part].sum() >= enough:
                gain, noise = rise(here[part], there[part])
                best[n] = np.nanmax([best[n], gain / max(noise, 1e-9)])
    return best


def moves(mm: float) -> list[np.ndarray]:
    """Both ways along each axis."""
    return [sign * mm * axis for axis in np.eye(3) for sign in (-1.0, 1.0)]


def shifted(transform: Transform, mm: np.ndarray) -> Transform:
    """The same, and then moved by ``mm`` (3,)."""
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return transform.then(Linear(matrix))

"""PASS, CHECK or FAIL for a registration, with reasons; never green for want of evidence.

What was optimised is a poor witness: descriptors agree a little better in many wrong places. So the judges are others:
mutual information (:mod:`.verdict_images`); here the size of what was found, how much of the body both scans show, and
whatever labels or landmarks the user knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from scipy import ndimage

from ..messages import without_minus_zero
from ..transforms.field import DisplacementField
from .body_places import Places
from .evidence import ONCE
from .findings import Finding, Level
from .outcome import GROWTH, LOW_SIMILARITY
from .reasons import reason
from .regularity import smallest_determinant

SHIFTED = 24.0
"""mm by which a deformation may shift the body as a whole, half of what the search reaches: that is for the linear
part, and from so far off parts of the body may not be found (Docs/measurements/verdict.md)."""

LOW, DOUBTFUL = LOW_SIMILARITY, 0.39
"""Mean cosine of the descriptors below which nothing was matched, and below which one has to look (unrelated scans
reach about 0.1, a pair left 126 mm off 0.22, a neck in a made-up contrast left 3.3 mm off 0.37, right pairs of one
person 0.43 and more but for 16 slices of a neck: our measurements)."""

MADE = 0.65
"""Share of the similarity that one person's scans have before they are deformed (measured: 0.69 and more with known
deformations of up to 15 mm, 0.78 in a lung between two visits; two persons 0.47 to 0.69). Where no linear part was
asked for, the affine mapping nearest to the result counts in its place (breath: 0.70). One person who is bent further
has less, and then agrees all the same."""

AGREES = 0.57
"""Similarity of a result from which one person is seen, however much was deformed. Measured: known deformations of 14
mm with 38 mm between knots have 0.46 to 0.64 of their similarity before it and end at 0.60 to 0.71; necks and bodies of
two persons end at 0.28 to 0.55. Two persons' brains reach 0.61 and are told by their sides alone (:mod:`.laterality`).
Drawn on these pairs."""

COVERED, MOSTLY = 0.5, 2 / 3
"""Share of the fixed body that the moving scan must show; below it the result is an extrapolation. A scan that is
shorter than the other is no fault of the registration: what both show is judged in parts (:mod:`.places_near`)."""

TURN = 30.0
"""Degrees between two scans of a person on a couch above which the turn has to be looked at."""

SCALE, SCALE_WRONG = GROWTH, 6.0
"""Percent by which one person's scans may differ in length."""

ANOTHER = 15.0
"""Percent of volume by which two bodies differ that are hardly one person's, where nobody says whose they are."""

VOLUME = 8.0
"""Percent by which one person's body may change its volume through the whole mapping."""

SMALLEST, ROUGH = 0.1, 0.6
"""Jacobian determinant below which one person's tissue vanishes, and the SD of its logarithm that no breathing explains
(lungs: about 0.2, two persons 0.3 to 0.4: our measurements). Of two persons one may have next to nothing where the
other has a vessel or a fold of fat: right pairs of necks reach 0.09, and only a fold (TG-132) is impossible."""

VANISHES_THERE = f"It lies where tissue shrinks to less than {100 * SMALLEST:.0f} % of its volume."

REFUSED, REFUSED_SOMEWHERE = 2.0, 6.0
"""mm, in the mean and where it is largest (99th percentile), of a deformation that was found and not confirmed: one of
the two judges is wrong, or an organ moved that is too small for one of them. Where mutual information falls beyond its
noise it has decided, and there is no doubt (averaged heads in CT and T1 that lie right: 3.2 mm, -8.8 standard errors).
Measured in the mean: 0.3 where one brain's scans lie as they should; 3.4, 4.1 and 6.7 where they do not, or nobody can
be sure (pork that bent between two scanners, a neck of 16 slices, averaged heads in CT and T2 that lie 6 mm apart)."""

DICE_FALL, LANDMARK_RISE = 0.02, 0.5
"""How far the known answer may get worse before it counts: Dice, and mm."""


def judged_by_masks(doubts: Sequence[str], borne_out: bool = False) -> list[Finding]:
    """What has to be looked at where a body mask was doubtful.

    Args:
        borne_out: whether the result stands where body is for certain: then the doubts are warnings and no more. Of a
            whole view the air agrees with air, so that its mutual information alone would bear out too much.
    """
    return [] if borne_out else [Finding("mask", "CHECK", sentence, {}) for sentence in doubts]


def judged_by_size(
    report: dict[str, Any], *, same_person: bool | None, field: DisplacementField | None = None
) -> list[Finding]:
    """What the figures of a report say: similarity, overlap, turn, growth, folds.

    Args:
        field: the deformation, for the places where tissue vanishes.
    """
    found: list[Finding] = []

    def say(code: str, level: Level, text: str, places: Places | None = None, **values: float) -> None:
        found.append(Finding(code, level, text, values, places))

    end, coverage = without_minus_zero(report["similarity"]["end"]), report["coverage"]
    if end < LOW:
        say("no_similarity", "FAIL", f"The similarity is only {end:.2f}: nothing was matched.", similarity=end)
    elif end < DOUBTFUL:
        say("low_similarity", "CHECK", f"The similarity is low ({end:.2f}): look at the outlines.", similarity=end)
    if coverage < MOSTLY:
        level: Level = "FAIL" if coverage < COVERED else "CHECK"
        text = f"Only {100 * coverage:.0f} % of the fixed body lies within the moving scan; beyond it nothing is known."
        say("little_overlap", level, text, coverage=coverage)
    rigid = report["deformation"].get("affine", report["similarity"].get("linear", end))
    if same_person is not False and LOW <= end < AGREES and rigid < MADE * end:
        text = (
            f"Most of the similarity comes from the deformation ({rigid:.2f} before it, {end:.2f} after): two persons? "
            "Say so (preset two_persons), or look."
        )
        say("much_deformed", "CHECK", text, linear=rigid, end=end)
    deformation = report["deformation"]
    refused = deformation.get("refused_mm", {"mean": 0.0, "p99": 0.0})
    denied = deformation.get("information", 0.0) < -ONCE * deformation.get("noise", inf)
    if (refused["mean"] > REFUSED or refused["p99"] > REFUSED_SOMEWHERE) and not denied:
        text = (
            "A deformation was found that the grey levels do not confirm, so nothing was deformed; yet the scans may "
            "not lie as they should: look at the outlines."
        )
        say("refused", "CHECK", text)
    if (shift := deformation.get("shift_mm", 0.0)) > SHIFTED:
        found.append(reason("deformation_shifts", "CHECK", {"shift_mm": shift}))
    if not deformation.get("confirmed", True):
        text = "The grey levels neither confirm nor deny the deformation: look at the outlines."
        say("unconfirmed", "CHECK", text)
    linear = report["linear"]
    turn, scale = abs(linear.get("turn_deg", 0.0)), linear.get("scale_percent", 0.0)
    if turn > TURN:
        say("large_turn", "CHECK", f"The scans are turned against each other by {turn:.0f} degrees.", degrees=turn)
    if same_person and abs(scale) > SCALE:
        level = "FAIL" if abs(scale) > SCALE_WRONG else "CHECK"
        say("scaled", level, f"One person's scans differ in size by {scale:+.1f} %.", percent=scale)
    volume = 100 * (deformation["volume"] - 1)
    if same_person and abs(volume) > VOLUME:
        say("grown", "CHECK", f"The body's volume changes by {volume:+.0f} % in one person.", percent=volume)
    if same_person is None and (abs(scale) > SCALE_WRONG or abs(volume) > ANOTHER):
        text = f"The bodies differ in volume by {volume:+.0f} %: two persons? Say so (preset two_persons), or look."
        say("size_differs", "CHECK", text, percent=volume)
    if report["folds"]:
        say("folds", "FAIL", f"The field folds at {report['folds']} voxels.", folds=float(report["folds"]))
    if report["smallest_determinant"] < SMALLEST and not report["folds"] and same_person is not False:
        text = f"Somewhere tissue shrinks to {100 * report['smallest_determinant']:.0f} % of its volume."
        there = None if field is None else where_tissue_vanishes(field)
        say("tissue_vanishes", "CHECK", text, there, determinant=report["smallest_determinant"])
    if report["sd_log_j"] > ROUGH:
        text = f"The field is rougher (SD of log Jacobian {report['sd_log_j']:.2f}) than bodies deform."
        say("rough", "CHECK", text, sd_log_j=report["sd_log_j"])
    return found


def where_tissue_vanishes(field: DisplacementField) -> Places | None:
    """Boxes around each place where the determinant falls below :data:`SMALLEST`; None where it does nowhere."""
    pieces, count = ndimage.label((smallest_determinant(field.to_index(), floor=SMALLEST) < SMALLEST).numpy())
    if not count:
        return None
    boxes = np.array([[(side.start, side.stop) for side in box] for box in ndimage.find_objects(pieces)], float)
    return Places.between(VANISHES_THERE, field.lattice, boxes[:, :, 0], boxes[:, :, 1])


def judged_by_known(report: dict[str, Any]) -> list[Finding]:
    """What labels and landmarks say, where the report has them: a fall below the start fails, whatever else rose."""
    found = []
    dice, pairs = report.get("dice"), report.get("landmarks")
    if dice:
        before, after = dice["before"]["mean"], dice["after"]["mean"]
        if after < before - DICE_FALL:
            text = f"The labels agree worse than before (Dice {before:.2f} to {after:.2f})."
            found.append(Finding("labels_worse", "FAIL", text, {"before": before, "after": after}))
    if pairs:
        before, after = pairs["before"]["mean_mm"], pairs["after"]["mean_mm"]
        if after > before + LANDMARK_RISE:
            text = f"The landmarks lie further apart than before ({before:.1f} to {after:.1f} mm)."
            found.append(Finding("landmarks_worse", "FAIL", text, {"before": before, "after": after}))
    return found


def judged_by_measures(measures: dict[str, Any]) -> list[Finding]:
    """The same of what :func:`dsir.workflow.measure.measure` measured afterwards."""
    known = {"dice": measures.get("dice")}
    if "landmarks" in measures:
        known["landmarks"] = {side: {"mean_mm": measures["landmarks"][side]["mean"]} for side in ("before", "after")}
    return judged_by_known(known)

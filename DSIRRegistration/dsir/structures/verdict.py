"""A traffic light for each structure, with its reason in words.

Where the AAPM's Task Group 132 gives a tolerance it is used and named (Brock, Mutic, McNutt, Li, Kessler: Use of image
registration and fusion algorithms and techniques in radiotherapy, Med. Phys. 44(7), e43-e76, 2017, doi
10.1002/mp.12256, Table III, as the README of ESAPI_RegistrationQA quotes it; the report itself was not at hand): Dice
about 0.80 to 0.90; mean distance to agreement about 2 to 3 mm; Jacobian determinant never negative. That the laxer end
of a range turns a light red and the stricter one amber is ours. It gives none for the rest, which are our own and say
so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ..registration.findings import Finding
from ..warp.pullback import Carried
from .measures import Measures
from .point_sets import CarriedPointSet

TG132 = "AAPM TG-132"
OWN = "our own threshold"


class Light(IntEnum):
    """Green, amber, red; the larger the worse."""

    GREEN = 0
    AMBER = 1
    RED = 2


@dataclass(frozen=True)
class Threshold:
    """Where a figure turns amber and red.

    Attributes:
        figure: what is judged, in words.
        amber, red: limits; ``rising`` says whether larger is worse.
        source: who says so.
    """

    figure: str
    amber: float
    red: float
    rising: bool
    source: str
    unit: str = ""

    def light(self, value: float) -> Light:
        """Green up to the amber limit, red beyond the red one."""
        sign = 1 if self.rising else -1
        if sign * value > sign * self.red:
            return Light.RED
        return Light.AMBER if sign * value > sign * self.amber else Light.GREEN


DICE = Threshold("Dice", 0.90, 0.80, False, TG132)
MEAN_DISTANCE = Threshold("mean surface distance", 2.0, 3.0, True, TG132, " mm")
FOLDS = Threshold("folded voxels", 0, 0, True, TG132)
SURFACE_DICE = Threshold("surface Dice", 0.90, 0.75, False, OWN)
HD95 = Threshold("95th percentile of surface distances", 5.0, 10.0, True, OWN, " mm")
OUTSIDE = Threshold("share outside the fixed scan", 0.05, 0.20, True, OWN)
SAID_OUTSIDE = 0.005
"""Share outside the fixed scan that is said, though the contour is whole as far as the scan shows it."""

VOLUME = Threshold("change of volume (factor)", 1.5, 2.0, True, OWN)
"""Parotids lose a third in six weeks of treatment (Barker et al., IJROBP 59(4), 2004), and a change by a quarter says
nothing of the registration: 9 % of the right contours and 10 % of the wrong ones have it (157 of six pairs,
``Testing/benchmarks/calibrate_lights.py``)."""

SHRINKING = Threshold("smallest Jacobian determinant", 0.5, 0.2, False, OWN)
GROWING = Threshold("largest Jacobian determinant", 2.0, 5.0, True, OWN)
CONFIDENCE = Threshold("confidence (mean inside)", 0.92, 0.2, False, OWN)
"""Right contours 0.76 to 0.99, wrong ones up to 0.96 (``Testing/benchmarks/calibrate_lights.py``)."""

AWAY = Threshold("where the images would put it (mean inside)", 2.0, 6.0, True, OWN, " mm")
AWAY_OVERLAP = Threshold("its Dice with itself moved by so much", 0.87, 0.5, False, OWN)
"""A place that is off by 2 mm is good enough for a liver and half of a chiasm: what a contour needs is small against
itself. Both limits are four fifths of where the nearest wrong contour lay (2.5 mm; 0.84, two persons' cord)."""

UNCHECKED = "Only the transform was looked at, not whether it is right: no reference, no measured confidence."
"""Why nothing is green by a well-behaved transform alone: one that does nothing at all is the best-behaved of them."""

HOW_FAR = "A confidence alone does not say how far off it is: --measure-confidence finds that too."
"""Why nothing is green by a confidence read from a file: contours of Dice 0.74 had 0.96 (measured)."""

MISSED = 0.1
"""mm by which a point's inverse may miss."""

THRESHOLDS = (
    *(DICE, MEAN_DISTANCE, FOLDS, SURFACE_DICE, HD95),
    *(OUTSIDE, VOLUME, SHRINKING, GROWING, CONFIDENCE, AWAY, AWAY_OVERLAP),
)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What to make of one carried structure.

    Attributes:
        light: the worst of all findings.
        reasons: why, one sentence each; for green what was looked at.
        measures: the figures.
    """

    name: str
    light: Light
    reasons: tuple[str, ...]
    measures: Measures
    carried: Carried | CarriedPointSet

    def to_json(self) -> dict[str, object]:
        """Name, light and reasons, for reports and programs."""
        return {"name": self.name, "light": self.light.name.lower(), "reasons": list(self.reasons)}


def judge(carried: Carried, measures: Measures, *, slice_mm: float, doubts: Sequence[Finding] = ()) -> Verdict:
    """Hold the figures against the thresholds.

    Args:
        slice_mm: the fixed scan's slice spacing.
        doubts: what speaks against the registration where this structure lies (:func:`.doubts.reaching`).
    """
    found = [*_losses(carried, measures, slice_mm), *_regularity(measures), *_agreement(measures)]
    found += _doubted(measures, doubts)
    remarks = list(carried.structure.remarks)
    if SAID_OUTSIDE < measures.outside_share <= OUTSIDE.amber:
        remarks.append(_cut_off(measures.outside_share))
    return _verdict(carried, measures, found, remarks)


def judge_point_set(carried: CarriedPointSet, measures: Measures, *, doubts: Sequence[Finding] = ()) -> Verdict:
    """The same for points and curves, which have no volume."""
    found = _doubted(measures, doubts)
    if carried.outside == 1.0:
        found.append((Light.RED, "All of it lies outside the fixed scan, where the transform means nothing."))
    elif (light := OUTSIDE.light(carried.outside)) > Light.GREEN:
        share = f"{100 * carried.outside:.0f} %"
        found.append((light, f"{share} of it lies outside the fixed scan, where the transform means nothing."))
    if carried.missed > MISSED:
        found.append((Light.AMBER, f"Its place is off by up to {carried.missed:.1f} mm: the transform folds there."))
    return _verdict(carried, measures, [*found, *_regularity(measures), *_agreement(measures)], ())


def _verdict(
    carried: Carried | CarriedPointSet, measures: Measures, found: list[tuple[Light, str]], remarks: Sequence[str]
) -> Verdict:
    compared, sure = measures.surface_distance_mm is not None, measures.confidence_mean is not None
    found.sort(key=lambda item: -item[0])
    if not compared and not sure and not any(light is Light.RED for light, _ in found):
        found.append((Light.AMBER, UNCHECKED))
    elif not compared and measures.away_mm is None and not found:
        found.append((Light.AMBER, HOW_FAR))
    light = max((light for light, _ in found), default=Light.GREEN)
    reasons = [sentence for _, sentence in found] + list(remarks)
    if light is Light.GREEN:
        reasons.insert(
            0,
            "Agrees with the reference, and nothing else speaks against it."
            if compared
            else "The images bear it out and nothing else speaks against it; there was no reference to compare with.",
        )
    return Verdict(carried.structure.name, light, tuple(reasons), measures, carried)


def _losses(carried: Carried, m: Measures, slice_mm: float) -> list[tuple[Light, str]]:
    found = []
    if m.volume_after_ml == 0:
        where = "lies outside the fixed scan" if m.outside_share > 0.5 else "vanished between the fixed scan's voxels"
        return [(Light.RED, f"Nothing of it is left: it {where}.")]
    if (light := OUTSIDE.light(m.outside_share)) > Light.GREEN:
        found.append((light, _cut_off(m.outside_share)))
    if carried.cut:
        missing = (
            "It reaches the border of the moving scan and goes on in the fixed one: what lies beyond was not drawn "
            "and is missing."
        )
        found.append((Light.AMBER, missing))
    if carried.rescued:
        found.append((Light.AMBER, "It fits between two slices of the fixed scan and was put on the nearest one."))
    elif m.thickness_mm is not None and m.thickness_mm < slice_mm:
        thin = f"It is thinner ({m.thickness_mm:.1f} mm) than the fixed slices are apart; look at each slice."
        found.append((Light.AMBER, thin))
    if m.pieces_before is not None and m.pieces_after is not None and m.pieces_before != m.pieces_after:
        found.append((Light.AMBER, f"It was in {_parts(m.pieces_before)} and is now in {_parts(m.pieces_after)}."))
    factor = max(m.volume_after_ml or 0.0, 1e-9) / max(m.volume_before_ml or 0.0, 1e-9)
    if m.outside_share < 0.05 and (light := VOLUME.light(max(factor, 1 / factor))) > Light.GREEN:
        found.append((light, f"Its volume changed by {100 * (factor - 1):+.0f} %."))
    return found


def _cut_off(share: float) -> str:
    return f"{100 * share:.0f} % of it lies outside the fixed scan and was cut off."


def _regularity(m: Measures) -> list[tuple[Light, str]]:
    found = []
    if m.folds:
        found.append((Light.RED, f"The transform folds inside it ({m.folds} voxels with a Jacobian <= 0; {TG132})."))
    elif m.jacobian_min is not None and m.jacobian_max is not None:
        if (light := SHRINKING.light(m.jacobian_min)) > Light.GREEN:
            found.append((light, f"Parts of it are squeezed hard: the Jacobian falls to {m.jacobian_min:.2f}."))
        if (light := GROWING.light(m.jacobian_max)) > Light.GREEN:
            found.append((light, f"Parts of it are stretched hard: the Jacobian rises to {m.jacobian_max:.2f}."))
    if m.surface_distance_mm is None and m.confidence_mean is not None:  # a reference knows better than the images
        light = CONFIDENCE.light(m.confidence_mean)
        much = {Light.AMBER: "bear the registration out only in part", Light.RED: "do not bear the registration out"}
        if light > Light.GREEN:
            found.append((light, f"The images {much[light]} here (confidence {m.confidence_mean:.2f})."))
        if m.away_mm is not None:
            found += _away(m.away_mm, m.away_overlap)
    return found


def _away(away: float, overlap: float | None) -> list[tuple[Light, str]]:
    """How far off the images would have it, in mm and by what of it would still lie there."""
    light, left = AWAY.light(away), ""
    if overlap is not None:
        light = max(light, AWAY_OVERLAP.light(overlap))
        left = f" (Dice with itself there {overlap:.2f})"
    return [(light, f"The images would put it {away:.1f} mm away{left}.")] if light > Light.GREEN else []


def _doubted(m: Measures, doubts: Sequence[Finding]) -> list[tuple[Light, str]]:
    """No contour is better than the registration that carried it, unless a reference says that it is."""
    if m.surface_distance_mm is not None:
        return []
    lights = {"CHECK": Light.AMBER, "FAIL": Light.RED}
    return [
        (lights[d.level], f"Of the registration: {d.text}" if d.places is None else d.places.words)
        for d in doubts
        if d.level in lights
    ]


def _agreement(m: Measures) -> list[tuple[Light, str]]:
    checks: list[tuple[Threshold, float | None, Callable[[float], str]]] = [
        (DICE, m.dice, lambda v: f"Dice with the reference is {v:.2f} ({TG132}: 0.80 to 0.90 and above)."),
        (
            MEAN_DISTANCE,
            m.surface_distance_mm,
            lambda v: f"Its surface is {v:.1f} mm from the reference on average ({TG132}: within 2 to 3 mm).",
        ),
        (SURFACE_DICE, m.surface_dice, lambda v: f"Only {100 * v:.0f} % of the surfaces agree within the tolerance."),
        (HD95, m.hd95_mm, lambda v: f"A twentieth of its surface is more than {v:.1f} mm off the reference."),
    ]
    return [
        (light, sentence(value))
        for threshold, value, sentence in checks
        if value is not None and (light := threshold.light(value)) > Light.GREEN
    ]


def _parts(count: int) -> str:
    return "one piece" if count == 1 else f"{count} pieces"

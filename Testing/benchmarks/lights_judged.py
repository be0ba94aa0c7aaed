"""What the lights are worth: as they ship, and by limits chosen without a pair's persons, held against the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from calibration_fit import fit
from dsir.errors import DsirError
from dsir.registration.findings import Finding
from dsir.similarity.calibration import RIGHT, Calibration, shipped
from dsir.similarity.confidence import SURE
from dsir.structures.doubts import OTHER_PERSON
from dsir.structures.measures import Measures
from dsir.structures.verdict import AWAY, AWAY_OVERLAP, Light, judge
from labelled import FITTED, NECKS

if TYPE_CHECKING:
    from calibrate_lights import Result, Row

ENOUGH = 0.80
"""Dice, and surface Dice at 2 mm, below which a green contour is wrong."""

MARGIN = 0.8
"""Of how far off the images would have the nearest wrong contour, up to which one may be green. Without a margin the
person who owns that contour, left out, would always make one wrong green."""

FARTHEST = 2.0
"""Times the limits that ship, beyond which nothing is green whatever the pairs say."""

MAY_BE_FITTED = {f"neck_{number}" for number in NECKS} | set(FITTED)


def report(results: Sequence[Result]) -> None:
    """Print the figures: lights as shipped, lights by limits of the others, sure voxels, verdicts of the pairs."""
    print(
        f"{len({r.pair for r in results})} pairs, {len(results)} results, "
        f"{sum(len(r.rows) for r in results)} structures of {len({p for r in results for p in r.persons})} persons"
    )
    ours = [r for r in results if set(r.persons) <= MAY_BE_FITTED]
    others = [r for r in results if not set(r.persons) & MAY_BE_FITTED]
    lights("as shipped, all", results, lambda _: 1.0)
    lights("as shipped, scans to which nothing was fitted", others, lambda _: 1.0)
    lights("as shipped, contours of which no part is missing", [_whole(r) for r in results], lambda _: 1.0)
    lights("limit of the other persons", ours, lambda result: limit(_without(ours, result)))
    print(f"limit by all that may be fitted: {limit(ours):.2f} times the one that ships")
    print("kind        structures right  green  wrong green (as shipped)")
    for kind in dict.fromkeys(r.kind for r in results):
        rows = [(row, is_green(result, row)) for result in results if result.kind == kind for row in result.rows]
        good = sum(right(row) for row, _ in rows)
        wrong = [row for row, green in rows if green and not right(row)]
        print(f"{kind:12} {len(rows):6} {good:6} {sum(g for _, g in rows):6} {len(wrong):6}")
    voxels(ours)
    pairs(results)


def pairs(results: Sequence[Result]) -> None:
    """The registrations' own verdicts; a known pair is right within 3 mm in the mean."""
    known = [r for r in results if r.kind == "known" and r.errors is not None and r.errors.mean() <= 3]
    wrong = [r for r in results if r.kind not in ("known", "astray", "same_person", "two_persons")]
    astray = [r for r in results if r.kind == "astray" and r.errors is not None and r.errors.mean() > 3]
    chosen_as = (("known pairs that are right", known), ("led astray beyond that", astray), ("spoiled pairs", wrong))
    for title, chosen in chosen_as:
        counts = ", ".join(f"{sum(r.level == level for r in chosen)} {level}" for level in ("PASS", "CHECK", "FAIL"))
        print(f"{title}: {counts}")
    print("of these not as wished: " + "; ".join(
        f"{r.pair} {r.level} {', '.join(r.reasons)}"
        for r in (*(r for r in known if r.level != "PASS"), *(r for r in (*astray, *wrong) if r.level == "PASS"))
    ))  # fmt: skip


def lights(title: str, results: Sequence[Result], chosen: Callable[[Result], float]) -> None:
    """One line: how many right ones are green, and how many green ones are wrong."""
    green, wrong, good, count, used = 0, [], 0, 0, []
    for result in results:
        used.append(chosen(result))
        for row in result.rows:
            shown, fine = is_green(result, row, used[-1]), right(row)
            count += 1
            good += fine
            green += shown and fine
            if shown and not fine:
                wrong.append(f"{result.pair} ({result.kind}) {row.name} {row.dice:.2f}/{row.surface_dice:.2f}")
    print(
        f"{title}: {count} contours, limit {min(used, default=0):.2f} to {max(used, default=0):.2f}; {green} of {good} "
        f"right ones green ({100 * green / max(good, 1):.0f} %); wrong greens: {len(wrong)} of {count - good}"
    )
    for one in wrong:
        print(f"    {one}")


def limit(others: Sequence[Result]) -> float:
    """How many times the limits that ship the images may have a contour off, so that none of these is wrong."""
    off = [far(row) for r in others for row in r.rows if not right(row) and is_green(r, row, np.inf)]
    return min([FARTHEST, *(MARGIN * one for one in off)])


def far(row: Row) -> float:
    """How far off the images would have it, in units of the limits that ship."""
    m = row.measures
    return max(m["away_mm"] / AWAY.amber, (1 - m["away_overlap"]) / (1 - AWAY_OVERLAP.amber))


def voxels(results: Sequence[Result]) -> None:
    """How many of the sure voxels are right: by the shipped curve, and by one fitted without the person."""
    known = [r for r in results if r.errors is not None]
    if len({r.persons for r in known}) < 2:
        return
    curve, errors = shipped()["dsir:map"], np.concatenate([r.errors for r in known])
    judged = {"as shipped": [curve.probability(r.evidence) for r in known]}
    try:
        judged["calibrated, persons left out"] = [curve_of(_without(known, r)).probability(r.evidence) for r in known]
    except DsirError as error:  # without one of them all voxels are right
        print(f"voxels, persons left out: {error}")
    for title, parts in judged.items():
        sure = np.concatenate(parts) >= SURE
        print(
            f"voxels, {title}: {100 * (errors <= RIGHT).mean():.0f} % within {RIGHT:g} mm; {100 * sure.mean():.0f} % "
            f"called sure, {100 * (errors <= RIGHT)[sure].mean():.1f} % of these right"
        )


def curve_of(known: Sequence[Result]) -> Calibration:
    """Fitted on the voxels whose error is known."""
    return fit(np.concatenate([r.evidence for r in known]), np.concatenate([r.errors for r in known]) <= RIGHT)


def right(row: Row) -> bool:
    """Whether the contour may be green."""
    return row.dice >= ENOUGH and row.surface_dice >= ENOUGH


def is_green(result: Result, row: Row, times: float = 1.0) -> bool:
    """The product's light without reference, with other limits of how far the images would have it off."""
    if not len(row.evidence):
        return False
    chance = shipped()["dsir:map"].probability(row.evidence)
    values: dict[str, Any] = row.measures | {
        "away_mm": 0.0,
        "away_overlap": 1.0,
    }  # how far off it is, is judged by ``far``
    values |= {"confidence_mean": float(chance.mean()), "confidence_low": float(np.percentile(chance, 5))}
    source = SimpleNamespace(name=row.name, remarks=())
    carried: Any = SimpleNamespace(structure=source, source=source, cut=row.cut, rescued=False)
    level: Any = row.level or result.level
    doubts = [Finding("registration", level, "", {})] if level in ("CHECK", "FAIL") else []
    doubts += [OTHER_PERSON] if result.kind == "two_persons" else []
    light = judge(carried, Measures(**values), slice_mm=result.slice_mm, doubts=doubts).light
    return light is Light.GREEN and far(row) <= times


def _whole(result: Result) -> Result:
    """Without contours that the moving scan cuts though the fixed one shows more: the reference lacks it too."""
    return replace(result, rows=tuple(row for row in result.rows if not row.cut))


def _without(results: Sequence[Result], left_out: Result) -> list[Result]:
    return [r for r in results if not set(r.persons) & set(left_out.persons)]

"""What the lights are worth: limits chosen without a pair's persons, held against the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from dsir.registration.findings import Finding
from dsir.similarity.calibration import RIGHT, Calibration, fit, shipped
from dsir.similarity.confidence import SURE
from dsir.structures.measures import Measures
from dsir.structures.verdict import CONFIDENCE, Light, judge

if TYPE_CHECKING:
    from calibrate_lights import Result, Row

ENOUGH = 0.80
"""Dice, and surface Dice at 2 mm, below which a green contour is wrong."""

LEAST = 0.5
"""Mean confidence below which nothing is green, whatever the pairs say."""


def report(results: Sequence[Result]) -> None:
    """Print the figures: lights as shipped, lights by limits of the others, sure voxels, verdicts of the pairs."""
    print(
        f"{len({r.pair for r in results})} pairs, {len(results)} results, "
        f"{sum(len(r.rows) for r in results)} structures"
    )
    curve = shipped()["dsir:map"]
    lights("as shipped", results, lambda result: (curve, CONFIDENCE.amber))
    lights(
        "limit of the others, curve as shipped",
        results,
        lambda result: (curve, limits(_without(results, result), curve)[1]),
    )
    if all(any(r.errors is not None for r in _without(results, result)) for result in results):
        lights("curve and limit of the others", results, lambda result: limits(_without(results, result)))
    print("kind        structures right  green  wrong green (as shipped)")
    for kind in dict.fromkeys(r.kind for r in results):
        rows = [(row, is_green(result, row, curve, CONFIDENCE.amber)) for result in results if result.kind == kind
                for row in result.rows]  # fmt: skip
        good = sum(right(row) for row, _ in rows)
        wrong = [row for row, green in rows if green and not right(row)]
        print(f"{kind:12} {len(rows):6} {good:6} {sum(g for _, g in rows):6} {len(wrong):6}")
    print(f"limit by all pairs, curve as shipped: {limits(results, curve)[1]:.3f}")
    voxels(results, curve)
    for good in (True, False):
        levels = [r.level for r in results if r.level and (r.kind in ("known", "two_persons")) == good]
        counts = ", ".join(f"{levels.count(level)} {level}" for level in ("PASS", "CHECK", "FAIL"))
        print(f"pairs {'right' if good else 'spoiled'}: {counts}")
    print(
        "spoiled that PASS: "
        + ", ".join(r.pair for r in results if r.level == "PASS" and r.kind not in ("known", "two_persons"))
    )


def lights(title: str, results: Sequence[Result], chosen: Callable[[Result], tuple[Calibration, float]]) -> None:
    """One line: how many right ones are green, and how many green ones are wrong."""
    green, wrong, good, used = 0, [], 0, []
    for result in results:
        curve, limit = chosen(result)
        used.append(limit)
        for row in result.rows:
            shown, fine = is_green(result, row, curve, limit), right(row)
            good += fine
            green += shown and fine
            if shown and not fine:
                wrong.append(f"{result.pair} ({result.kind}) {row.name} {row.dice:.2f}/{row.surface_dice:.2f}")
    print(
        f"{title}: limit {min(used):.2f} to {max(used):.2f}; {green} of {good} right ones green "
        f"({100 * green / max(good, 1):.0f} %); wrong greens: {len(wrong)}"
    )
    for one in wrong:
        print(f"    {one}")


def limits(others: Sequence[Result], curve: Calibration | None = None) -> tuple[Calibration, float]:
    """The map's curve, and the least mean confidence above which no contour of these is wrong (at least one half)."""
    curve = curve or curve_of(others)
    sure = [
        confidence(row, curve)[0] for r in others for row in r.rows
        if len(row.evidence) and not right(row) and is_green(r, row, curve, 0.0)
    ]  # fmt: skip
    return curve, max([LEAST, *sure]) + 1e-6


def voxels(results: Sequence[Result], curve: Calibration) -> None:
    """How many of the sure voxels are right: by the shipped curve, and by one fitted without the person."""
    known = [r for r in results if r.errors is not None]
    if len({r.persons for r in known}) < 2:
        return
    errors = np.concatenate([r.errors for r in known])
    for title, chance in (
        ("as shipped", np.concatenate([curve.probability(r.evidence) for r in known])),
        (
            "calibrated, persons left out",
            np.concatenate([curve_of(_without(results, r)).probability(r.evidence) for r in known]),
        ),
    ):
        sure = chance >= SURE
        print(
            f"voxels, {title}: {100 * (errors <= RIGHT).mean():.0f} % within {RIGHT:g} mm; {100 * sure.mean():.0f} % "
            f"called sure, {100 * (errors <= RIGHT)[sure].mean():.1f} % of these right"
        )


def curve_of(results: Sequence[Result]) -> Calibration:
    """Fitted on the voxels whose error is known."""
    known = [r for r in results if r.errors is not None]
    return fit(np.concatenate([r.evidence for r in known]), np.concatenate([r.errors for r in known]) <= RIGHT)


def right(row: Row) -> bool:
    """Whether the contour may be green."""
    return row.dice >= ENOUGH and row.surface_dice >= ENOUGH


def confidence(row: Row, curve: Calibration) -> tuple[float, float]:
    """Mean and 5th percentile inside the structure."""
    chance = curve.probability(row.evidence)
    return float(chance.mean()), float(np.percentile(chance, 5))


def is_green(result: Result, row: Row, curve: Calibration, limit: float) -> bool:
    """The product's light without reference, with another curve and another limit of the mean confidence."""
    values: dict[str, Any] = dict(row.measures)
    mean = None
    if len(row.evidence):
        mean, low = confidence(row, curve)
        values |= {"confidence_mean": max(mean, CONFIDENCE.amber) if mean >= limit else mean, "confidence_low": low}
    source = SimpleNamespace(name=row.name, remarks=())
    carried: Any = SimpleNamespace(structure=source, source=source, cut=row.cut, rescued=False)
    doubts = [Finding("registration", result.level, "", {})] if result.level in ("CHECK", "FAIL") else []
    light = judge(carried, Measures(**values), slice_mm=result.slice_mm, doubts=doubts).light
    return light is Light.GREEN and mean is not None and mean >= limit


def _without(results: Sequence[Result], left_out: Result) -> list[Result]:
    return [r for r in results if not set(r.persons) & set(left_out.persons)]

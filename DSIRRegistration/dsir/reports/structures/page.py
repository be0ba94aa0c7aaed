"""The page itself: a table of all structures, then each with its reasons, figures and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ...files.atomic import write_text
from ...structures.measures import Measures
from ...structures.verdict import THRESHOLDS, Light, Threshold, Verdict
from ..templating import render
from .pictures import Picture

WORDS = {Light.GREEN: "nothing against it", Light.AMBER: "look closely", Light.RED: "do not use as it is"}
SIGNS = {Light.GREEN: "●", Light.AMBER: "▲", Light.RED: "■"}
"""Shapes as well as colours: for a black and white print, and for those who cannot tell red from green."""


@dataclass(frozen=True)
class Column:
    """A heading of the table, and what it means with the term of the field."""

    name: str
    unit: str = ""
    meaning: str = ""


MOVED = (
    Column("volume before → after", "ml"),
    Column("shift", "mm", "between the centroids of the drawn and the propagated shape"),
    Column("displacement", "mm, min / mean / max", "length of the displacement inside the propagated shape"),
    Column("local volume", "×, min – max", "Jacobian determinant inside: above 1 tissue is larger in the moving scan"),
    Column("outside", "%", "share of the volume that lies beyond the fixed scan"),
)
COMPARED = (
    Column("Dice", "", "overlap with the reference contour (Dice coefficient)"),
    Column("surface Dice", "", "share of both surfaces within 2 mm of the other"),
    Column("HD95", "mm", "95 % of the surfaces lie nearer to the other one than this (95th percentile of Hausdorff's)"),
    Column("mean dist.", "mm", "mean distance between the surfaces"),
)
SURE = (
    Column("confidence", "", "mean inside: the chance that the transform is within 4 mm of the truth there"),
    Column("best match", "mm", "how far from where the transform puts it the images would have it, mean inside"),
)


@dataclass(frozen=True)
class Chip:
    """How many structures a light has."""

    light: str
    sign: str
    count: int
    words: str


@dataclass(frozen=True)
class Shown:
    """A structure as the page shows it; ``colour`` is CSS."""

    name: str
    light: str
    sign: str
    words: str
    colour: str
    cells: Sequence[str]
    reasons: Sequence[str]
    more: str
    pictures: Sequence[Picture]


def write_page(
    path: str | Path,
    verdicts: Sequence[Verdict],
    pictures: Mapping[str, Sequence[Picture]],
    *,
    remarks: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write the page: no scripts, no links, pictures inside.

    Args:
        pictures: structure name to its pictures.
        remarks: what was left out and why.
        facts: what else the head should say, heading to text.
    """
    compared = any(v.measures.surface_distance_mm is not None for v in verdicts)
    sure = any(v.measures.confidence_mean is not None for v in verdicts)
    text = render(
        "structures.html.j2",
        date=date.today().isoformat(),
        chips=_chips(verdicts),
        facts=facts or {},
        remarks=remarks,
        columns=MOVED + COMPARED * compared + SURE * sure,
        structures=[
            _shown(verdict, _cells(verdict.measures, compared, sure), pictures.get(verdict.name, ()))
            for verdict in sorted(verdicts, key=lambda v: -v.light)
        ],
        thresholds=[{"figure": t.figure, "limits": _limits(t), "source": t.source} for t in THRESHOLDS],
    )
    write_text(path, text)


def _chips(verdicts: Sequence[Verdict]) -> list[Chip]:
    counts = {light: sum(v.light is light for v in verdicts) for light in (Light.RED, Light.AMBER, Light.GREEN)}
    return [Chip(light.name.lower(), SIGNS[light], count, WORDS[light]) for light, count in counts.items() if count]


def _shown(verdict: Verdict, cells: Sequence[str], pictures: Sequence[Picture]) -> Shown:
    light = verdict.light
    red, green, blue = verdict.carried.structure.colour
    return Shown(
        name=verdict.name,
        light=light.name.lower(),
        sign=SIGNS[light],
        words=WORDS[light],
        colour=f"rgb({red},{green},{blue})",
        cells=cells,
        reasons=verdict.reasons,
        more=_more(verdict.measures),
        pictures=pictures,
    )


def _cells(m: Measures, compared: bool, sure: bool) -> list[str]:
    moved = (m.displacement_min_mm, m.displacement_mean_mm, m.displacement_max_mm)
    cells = [
        _volumes(m),
        _number(m.centroid_shift_mm, 1),
        " / ".join(_number(value, 1) for value in moved) if moved[0] is not None else "–",
        f"{_number(m.jacobian_min)} – {_number(m.jacobian_max)}" if m.jacobian_min is not None else "–",
        f"{100 * m.outside_share:.1f}",
    ]
    if compared:
        cells += [_number(m.dice), _number(m.surface_dice), _number(m.hd95_mm, 1), _number(m.surface_distance_mm, 1)]
    return [*cells, _number(m.confidence_mean), _number(m.away_mm, 1)] if sure else cells


def _more(m: Measures) -> str:
    parts = [] if m.pieces_after is None else [f"{m.pieces_after} connected part{'s' * (m.pieces_after != 1)}"]
    if m.deformation_max_mm is not None:
        parts.append(
            f"after its best rigid motion {m.deformation_mean_mm:.1f} mm of deformation remain on average, "
            f"{m.deformation_max_mm:.1f} mm at most"
        )
    text = "; ".join(parts)
    return text and f"{text[0].upper()}{text[1:]}."


def _limits(threshold: Threshold) -> str:
    sign = ">" if threshold.rising else "<"
    red = f"{sign} {threshold.red:g}{threshold.unit}"
    amber = "–" if threshold.amber == threshold.red else f"{sign} {threshold.amber:g}{threshold.unit}"
    return f"{amber} / {red}"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _volumes(m: Measures) -> str:
    if m.volume_before_ml is None or m.volume_after_ml is None:
        return "–"
    percent = round(100 * (m.volume_after_ml / m.volume_before_ml - 1)) if m.volume_before_ml else 0
    change = f" ({percent:+d} %)" if percent else ""
    return f"{_millilitres(m.volume_before_ml)} → {_millilitres(m.volume_after_ml)}{change}"


def _millilitres(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"

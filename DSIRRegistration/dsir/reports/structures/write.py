"""The page itself: a table of all structures, then each with its reasons, figures and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from pathlib import Path

from ... import __version__
from ...files.atomic import complete_file
from ...structures.measures import Measures
from ...structures.verdict import THRESHOLDS, Light, Threshold, Verdict
from .pictures import Picture
from .style import STYLE

WORDS = {Light.GREEN: "nothing against it", Light.AMBER: "look closely", Light.RED: "do not use as it is"}
SIGNS = {Light.GREEN: "●", Light.AMBER: "▲", Light.RED: "■"}
"""Shapes as well as colours: for a black and white print, and for those who cannot tell red from green."""


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
    worst_first = sorted(verdicts, key=lambda v: -v.light)
    body = "\n".join(
        [
            _head(verdicts, facts or {}),
            _remarks(remarks),
            _table(worst_first),
            *(_section(verdict, pictures.get(verdict.name, ())) for verdict in worst_first),
            _foot(),
        ]
    )
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Contour propagation</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )
    with complete_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _head(verdicts: Sequence[Verdict], facts: Mapping[str, str]) -> str:
    counts = [
        f'<span class="chip {light.name.lower()}">{SIGNS[light]} {count} {WORDS[light]}</span>'
        for light in (Light.RED, Light.AMBER, Light.GREEN)
        if (count := sum(v.light is light for v in verdicts))
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return (
        f"<header><h1>Contour propagation</h1><p class='date'>{date.today().isoformat()} · dsir {__version__}</p>"
        f"<p class='chips'>{''.join(counts)}</p><dl>{rows}</dl>"
        "<p class='warning'>Contours were carried from the moving onto the fixed scan by deformable registration. "
        "They are unapproved: each has to be looked at, slice by slice, and corrected before it is used. "
        "For research; not a medical device.</p></header>"
    )


def _remarks(remarks: Sequence[str]) -> str:
    if not remarks:
        return ""
    items = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
    return f"<section><h2>Left out, or changed</h2><ul>{items}</ul></section>"


def _table(verdicts: Sequence[Verdict]) -> str:
    compared = any(v.measures.surface_distance_mm is not None for v in verdicts)
    sure = any(v.measures.confidence_mean is not None for v in verdicts)
    heads = ["", "structure", "volume before → after", "shift", "displacement min / mean / max", "Jacobian", "outside"]
    heads += ["Dice", "surface Dice", "HD95", "mean dist."] if compared else []
    heads += ["confidence"] if sure else []
    units = ["", "", "ml", "mm", "mm", "min – max", "%"] + (["", "", "mm", "mm"] if compared else [])
    units += [""] if sure else []
    head = "".join(f"<th>{h}{f'<small>{u}</small>' if u else ''}</th>" for h, u in zip(heads, units, strict=True))
    rows = "".join(_row(v, compared, sure) for v in verdicts)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<section><h2>All structures</h2>{table}</section>"


def _row(verdict: Verdict, compared: bool, sure: bool) -> str:
    m = verdict.measures
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
    if sure:
        cells.append(_number(m.confidence_mean))
    light = verdict.light
    return (
        f'<tr><td class="{light.name.lower()} sign">{SIGNS[light]}</td><td class="name">{_swatch(verdict)}'
        f"{escape(verdict.name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )


def _section(verdict: Verdict, pictures: Sequence[Picture]) -> str:
    light = verdict.light
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    figures = "".join(
        f'<figure><img src="data:image/png;base64,{p.png}" alt="{escape(p.caption)}">'
        f"<figcaption>{escape(p.caption)}</figcaption></figure>"
        for p in pictures
    )
    return (
        f'<section class="structure"><h2>{_swatch(verdict)}{escape(verdict.name)}'
        f' <span class="chip {light.name.lower()}">{SIGNS[light]} {WORDS[light]}</span></h2>'
        f"<ul class='reasons'>{reasons}</ul><p class='more'>{_more(verdict.measures)}</p>{figures}</section>"
    )


def _more(m: Measures) -> str:
    parts = [] if m.pieces_after is None else [f"{m.pieces_after} connected part{'s' * (m.pieces_after != 1)}"]
    if m.deformation_max_mm is not None:
        parts.append(
            f"after its best rigid motion {m.deformation_mean_mm:.1f} mm of deformation remain on average, "
            f"{m.deformation_max_mm:.1f} mm at most"
        )
    text = "; ".join(parts)
    return text and f"{text[0].upper()}{text[1:]}."


def _foot() -> str:
    rows = "".join(
        f"<tr><td class='name'>{escape(t.figure)}</td><td>{_limits(t)}</td>"
        f"<td class='name'>{escape(t.source)}</td></tr>"
        for t in THRESHOLDS
    )
    return (
        "<section class='foot'><h2>How the lights are set</h2><table><thead><tr><th>figure</th>"
        "<th>amber / red</th><th>source</th></tr></thead>"
        f"<tbody>{rows}</tbody></table><p>AAPM TG-132: Brock et al., Med. Phys. 44(7), e43–e76, 2017. Surface Dice: "
        "share of both surfaces within 2 mm of the other (Nikolov et al., J. Med. Internet Res. 23(7), e26151, 2021). "
        "A green light says that nothing measured speaks against a contour, not that it is right. Without a reference "
        "it needs a measured confidence: whether the best match of the images lies where the transform puts it. In the "
        "pictures the "
        "coloured line is the carried contour, the dashed one the reference.</p></section>"
    )


def _limits(threshold: Threshold) -> str:
    if threshold.amber == threshold.red:
        return f"– / {'&gt;' if threshold.rising else '&lt;'} {threshold.red:g}"
    sign = "&gt;" if threshold.rising else "&lt;"
    return f"{sign} {threshold.amber:g}{threshold.unit} / {sign} {threshold.red:g}{threshold.unit}"


def _swatch(verdict: Verdict) -> str:
    red, green, blue = verdict.carried.structure.colour
    return f'<i class="swatch" style="background:rgb({red},{green},{blue})"></i>'


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _volumes(m: Measures) -> str:
    if m.volume_before_ml is None or m.volume_after_ml is None:
        return "–"
    percent = round(100 * (m.volume_after_ml / m.volume_before_ml - 1)) if m.volume_before_ml else 0
    change = f" <em>{percent:+d} %</em>" if percent else ""
    return f"{_millilitres(m.volume_before_ml)} → {_millilitres(m.volume_after_ml)}{change}"


def _millilitres(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"

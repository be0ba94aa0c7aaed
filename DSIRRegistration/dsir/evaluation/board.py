"""The scores of a data set as files: every figure, and the table a paper would show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..files.atomic import write_text
from ..files.report import write_report
from ..files.tables import write_table
from .challenge import mean
from .leaderboard import Score
from .learn2reg import DataSet
from .published import PUBLISHED

PLAIN = ("dice", "hd95_mm", "hd95_voxels", "tre_mm", "sd_log_j", "sd_log_j_script", "folds", "folds_percent")
"""Figures that are one number a pair."""

HEADS = {
    "hd95_mm": ("HD95 mm", ".2f"),
    "hd95_voxels": ("HD95 voxels", ".2f"),
    "tre_mm": ("TRE mm", ".2f"),
    "sd_log_j": ("SD log J", ".3f"),
    "sd_log_j_script": ("SD log (J+3)", ".3f"),
    "folds": ("folds", ".0f"),
    "folds_percent": ("folds %", ".2f"),
}


def write_scores(out: Path, data_set: DataSet, scores: Sequence[Score]) -> None:
    """``scores.csv`` (a line for each method and pair), ``scores.json`` (all figures) and ``scores.md`` (means)."""
    rows = []
    dice = [f"dice {name}" for name in data_set.labels.values()]
    for score in scores:
        by_label = score.figures.get("dice_by_label", {})
        figures = [score.figures.get(name) for name in PLAIN] + [by_label.get(value) for value in data_set.labels]
        row = [score.method, score.pair, *figures, score.seconds, score.error]
        rows.append(["" if v is None else f"{v:.6g}" if isinstance(v, float) else v for v in row])
    write_table(out / "scores.csv", ["method", "pair", *PLAIN, *dice, "seconds", "error"], rows)
    write_text(out / "scores.md", as_markdown(data_set, scores))
    write_report(out / "scores.json", {"data_set": data_set.name, "scores": [asdict(score) for score in scores]})


def as_markdown(data_set: DataSet, scores: Sequence[Score]) -> str:
    """Means over the pairs by method, and what others published beneath."""
    methods = list(dict.fromkeys(score.method for score in scores))
    there = [name for name in HEADS if any(score.figures.get(name) is not None for score in scores)]
    with_dice = any(score.figures.get("dice") is not None for score in scores)
    organs = data_set.labels if with_dice else {}
    heads = ["method", "pairs", *(["Dice", *organs.values(), "DSC30"] if with_dice else [])]
    lines = [heads + [HEADS[name][0] for name in there] + ["s a pair"]]
    for method in methods:
        own = [score for score in scores if score.method == method]
        scored = [score.figures for score in own if score.figures]
        cells = [method, f"{len(scored)} of {len(own)}"]
        if with_dice:
            cases = [figures["dice"] for figures in scored if figures.get("dice") is not None]
            cells.append(_text(mean(cases), ".3f"))
            cells += [_text(mean([f["dice_by_label"].get(v) for f in scored if "dice" in f]), ".3f") for v in organs]
            cells.append(_text(float(np.quantile(cases, 0.3)) if cases else None, ".3f"))
        cells += [_text(mean([figures.get(name) for figures in scored]), HEADS[name][1]) for name in there]
        lines.append([*cells, _text(mean([score.seconds for score in own]), ".0f")])
    text = f"# {data_set.name}, {len({score.pair for score in scores})} pairs\n\n{_table(lines)}\n"
    text += "\nMeans over the pairs; definitions in Docs/learn2reg.md.\n"
    errors = [f"- {score.method}, {score.pair}: {score.error}" for score in scores if score.error]
    if errors:
        text += "\n## Without figures\n\n" + "\n".join(errors) + "\n"
    published = PUBLISHED.get(data_set.name, ())
    if published:
        rows = [["method", "Dice", "remark"], *([p.method, f"{p.dice:.3f}", p.note] for p in published)]
        text += f"\n## Published by others on {data_set.name}, not measured here\n\n{_table(rows)}\n"
    return text


def screen_lines(data_set: DataSet, scores: Sequence[Score]) -> tuple[str, ...]:
    """The same table for a terminal."""
    return tuple(as_markdown(data_set, scores).strip().splitlines()[2:])


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])

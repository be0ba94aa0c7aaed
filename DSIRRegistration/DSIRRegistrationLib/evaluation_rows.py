"""What an evaluation says, in rows: structures and landmarks, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .quality import LANDMARKS, Row

EVALUATION = "DSIR.Evaluation"
"""Attribute of a result's transform node: the latest evaluation as JSON."""

DICE, POOR_DICE = 0.8, 0.6
"""What AAPM TG-132 (Brock et al., Med. Phys. 2017) asks of contours (Dice 0.8 to 0.9), and what is poor."""

FAR, TOO_FAR = 5.0, 10.0
"""mm of HD95 beyond which one has a look, and which is bad: where the engine's lights turn amber and red."""


def evaluation_rows(found: Mapping[str, Any]) -> list[Row]:
    """The table of an evaluation, as ``dsir evaluate`` measured it."""
    out = []
    if "landmarks" in found:
        before, after = found["landmarks"]["before"], found["landmarks"]["after"]
        out.append(
            Row(
                f"Landmarks ({after['count']})",
                f"{before['mean']:.1f} → {after['mean']:.1f} mm",
                f"Target registration error, mean; worst 30 %: {before['worst30']:.1f} → {after['worst30']:.1f} mm, "
                f"largest: {before['largest']:.1f} → {after['largest']:.1f} mm.",
                "good" if after["mean"] <= LANDMARKS else "look" if after["mean"] < before["mean"] else "bad",
            )
        )
    for label in found.get("labels", {}).values():
        before, after = label["before"], label["after"]
        out.append(
            Row(
                f"{label['name']}, Dice",
                f"{before['dice']:.2f} → {after['dice']:.2f}",
                "Overlap 2|A∩B|/(|A|+|B|). AAPM TG-132 asks for 0.8 to 0.9; small structures have less.",
                "good" if after["dice"] >= DICE else "look" if after["dice"] >= POOR_DICE else "bad",
            )
        )
        if after["hd95_mm"] is not None:
            away = "–" if before["hd95_mm"] is None else f"{before['hd95_mm']:.1f}"
            out.append(
                Row(
                    f"{label['name']}, HD95",
                    f"{away} → {after['hd95_mm']:.1f} mm",
                    "95 % Hausdorff distance: a twentieth of the surface lies farther from the other one than this.",
                    "good" if after["hd95_mm"] <= FAR else "look" if after["hd95_mm"] <= TOO_FAR else "bad",
                )
            )
    return out

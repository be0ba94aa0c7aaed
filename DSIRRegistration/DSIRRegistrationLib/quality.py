"""What the figures of a run say, in rows and sentences that a reader can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REPORT = "DSIR.Report"
"""Attribute of a result's transform node: the run's report as JSON, saved with the scene."""

DICE, POOR_DICE, LANDMARKS = 0.8, 0.6, 3.0
"""What AAPM TG-132 (Brock et al., Med. Phys. 2017) asks of contours (Dice 0.8 to 0.9) and landmarks (2 to 3 mm)."""

EVALUATION = "DSIR.Evaluation"
"""Attribute of a result's transform node: the latest evaluation as JSON."""


@dataclass(frozen=True)
class Row:
    """One line of the quality table.

    Attributes:
        what, value: short texts.
        meaning: for the tooltip: definition and what to make of it.
        verdict: ``"plain"``, ``"good"``, ``"look"`` (have a look there) or ``"bad"``.
    """

    what: str
    value: str
    meaning: str
    verdict: str = "good"


def rows(report: Mapping[str, Any]) -> list[Row]:
    """The table of a registration's report."""
    found = []
    similarity = _similarity(report)
    if similarity:
        start, end = similarity
        verdict = "plain" if end > start else "look"  # by itself it proves nothing
        found.append(
            Row(
                "Similarity",
                f"{start:.2f} → {end:.2f}",
                "Mean cosine of the two scans' descriptors in the fixed body, before and after. It says that structure "
                "agrees, not that every organ is where it belongs.",
                verdict,
            )
        )
    pairs = report.get("landmarks")
    if pairs:
        before, after = pairs["before"]["mean_mm"], pairs["after"]["mean_mm"]
        found.append(
            Row(
                f"Accepted pairs ({pairs['count']})",
                f"{before:.1f} → {after:.1f} mm",
                f"Mean distance of the pairs that steered the run (largest {pairs['before']['largest_mm']:.1f} → "
                f"{pairs['after']['largest_mm']:.1f} mm). They were used, so they prove nothing about other places.",
                "plain" if after <= max(before, LANDMARKS) else "look",
            )
        )
    if report.get("folds") is not None:
        folds = int(report["folds"])
        smallest = report.get("smallest_determinant", report.get("smallest_jacobian"))
        least = f", smallest det J {smallest:.2f}" if smallest is not None else ""
        found.append(
            Row(
                "Folds",
                f"none{least}" if not folds else f"{folds} voxels{least}",
                "Voxels in which tissue is turned inside out (Jacobian determinant ≤ 0 by any of nine stencils).",
                "good" if not folds else "bad",
            )
        )
    if report.get("sd_log_j") is not None:
        found.append(
            Row(
                "Roughness",
                f"SD log J {report['sd_log_j']:.2f}",
                "Standard deviation of the logarithm of the Jacobian determinant (Learn2Reg): how unevenly volume"
                " changes.",
                "good" if report["sd_log_j"] < 0.5 else "look",
            )
        )
    if report.get("inverse_error"):
        missed = report["inverse_error"]["p95"]
        found.append(
            Row(
                "Inverse",
                f"within {missed:.2f} mm",
                "There and back through the transform and its inverse; 95 % of points return this close.",
                "good" if missed < 0.5 else "look",
            )
        )
    if report.get("coverage") is not None:
        covered = report["coverage"]
        found.append(
            Row(
                "Coverage",
                f"{100 * covered:.0f} %",
                "Share of the fixed body that the moving scan shows. Elsewhere the field is only a guess.",
                "good" if covered > 0.98 else "look",
            )
        )
    found += certainty_rows(report.get("certainty") or {})
    seconds = report.get("seconds", {})
    if seconds:
        found.append(Row("Time", f"{seconds.get('total', sum(seconds.values())):.0f} s", _times(seconds), "plain"))
    return found


def certainty_rows(found: Mapping[str, Any]) -> list[Row]:
    """Where not to trust a result: of the body, and of each carried structure."""
    if not found:
        return []
    sure = "" if found["calibrated"] else " For this descriptor it only orders places: it is no probability."
    meaning = (
        f"Share of voxels whose chance to be within 4 mm of the truth is below one half, by the images alone.{sure}"
    )
    out = [Row("Doubtful", f"{100 * found['doubtful']:.0f} % of the body", meaning, _trust(found["doubtful"]))]
    for name, one in sorted(found["structures"].items(), key=lambda item: item[1]["certainty"]):
        value = f"certainty {one['certainty']:.2f}, {100 * one['doubtful']:.0f} % doubtful"
        more = f" Its best matches lie {one['distance_mm']:.1f} mm away in the mean."
        out.append(Row(name, value, meaning + more, _trust(one["doubtful"])))
    return out


DOUBTFUL, UNTRUSTED = 0.05, 0.5
"""Shares of doubtful voxels from which a structure deserves a look, and is not to be trusted (our own)."""


def _trust(doubtful: float) -> str:
    return "good" if doubtful <= DOUBTFUL else "look" if doubtful <= UNTRUSTED else "bad"


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
        distance = "" if after["hd95_mm"] is None else f", HD95 {after['hd95_mm']:.1f} mm"
        out.append(
            Row(
                label["name"],
                f"Dice {before['dice']:.2f} → {after['dice']:.2f}{distance}",
                "Overlap 2|A∩B|/(|A|+|B|), and 95 % Hausdorff distance after registration. AAPM TG-132 asks for a Dice "
                "of 0.8 to 0.9; small structures have less.",
                "good" if after["dice"] >= DICE else "look" if after["dice"] >= POOR_DICE else "bad",
            )
        )
    return out


def summary(report: Mapping[str, Any]) -> str:
    """One line for progress bars and node descriptions: settings, weights, and how it went."""
    settings, descriptor = report.get("settings", {}), report.get("descriptor", {})
    made = f"DSIR Registration {report.get('versions', {}).get('dsir', '')}".strip()
    parts = [made, f"preset {settings.get('preset', '?')}", f"descriptor {settings.get('descriptor', '?')}"]
    if isinstance(descriptor, Mapping) and descriptor.get("sha256"):
        parts.append(f"weights {str(descriptor['sha256'])[:12]}")
    similarity = _similarity(report)
    if similarity:
        parts.append(f"similarity {similarity[0]:.2f} to {similarity[1]:.2f}")
    if report.get("folds") is not None:
        parts.append(f"{report['folds']} folds")
    return ", ".join(parts)


def _similarity(report: Mapping[str, Any]) -> tuple[float, float] | None:
    found = report.get("similarity") or {}
    start, end = found.get("start", found.get("before")), found.get("end", found.get("after"))
    return None if start is None or end is None else (float(start), float(end))


def _times(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{stage} {value:.1f} s" for stage, value in seconds.items() if stage != "total")

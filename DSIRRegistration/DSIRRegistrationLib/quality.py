"""What the figures of a run say, in rows and sentences that a reader can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REPORT = "DSIR.Report"
"""Attribute of a result's transform node: the run's report as JSON, saved with the scene."""

LANDMARKS = 3.0
"""mm; AAPM TG-132 (Brock et al., Med. Phys. 2017) asks for 2 to 3 mm of landmarks."""


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
    found += movement_rows(report)
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
        least = f"; volume down to {100 * smallest:.0f} %" if smallest is not None else ""
        found.append(
            Row(
                "Folds",
                f"none{least}" if not folds else f"{folds} voxels{least}",
                "Voxels in which tissue is turned inside out (Jacobian determinant ≤ 0 by any of nine stencils), and "
                "the smallest share of its volume that any voxel keeps.",
                "good" if not folds else "bad",
            )
        )
    if report.get("sd_log_j") is not None:
        found.append(
            Row(
                "Unevenness",
                f"{report['sd_log_j']:.2f}",
                "How unevenly volume changes from place to place; 0: nowhere, about 0.2: a breathing lung, 0.3 to 0.4: "
                "two persons. (SD log J: standard deviation of the logarithm of the Jacobian determinant; Learn2Reg.)",
                "good" if report["sd_log_j"] < 0.5 else "look",
            )
        )
    if report.get("inverse_error"):
        missed = report["inverse_error"]["p95"]
        found.append(
            Row(
                "There and back",
                f"within {missed:.2f} mm",
                "Through the transform and its inverse; 95 % of points return this close (inverse error).",
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


def movement_rows(report: Mapping[str, Any]) -> list[Row]:
    """What was moved: the scan as a whole, and organs against each other."""
    found, linear, deformation = [], report.get("linear") or {}, report.get("deformation") or {}
    if "shift_mm" in linear:
        moved = (
            f"shift {linear['shift_mm']:.1f} mm, turn {linear['turn_deg']:.1f}°, size {linear['scale_percent']:+.1f} %"
        )
        found.append(
            Row(
                "Moved as a whole",
                "not at all" if linear["model"] == "none" else moved,
                f"The linear part of the result (model: {linear['model']}): what the middle of the body is shifted by, "
                "the turn, and the change of length.",
                "plain",
            )
        )
    if "kept" in deformation:
        volume = f"the body's volume {100 * (deformation['volume'] - 1):+.1f} %"
        found.append(
            Row(
                "Deformed",
                f"yes; {volume}" if deformation["kept"] else "no",
                "Whether organs were moved against each other. Where the scans decide, a deformation is kept only if "
                "mutual information, which nothing was fitted to, rises by it.",
                "plain",
            )
        )
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

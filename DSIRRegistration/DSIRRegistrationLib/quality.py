"""What the figures of a run say, in rows and sentences that a reader can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dsir.reports.registration.facts import facts_of

REPORT = "DSIR.Report"
"""Attribute of a result's transform node: the run's report as JSON, saved with the scene."""

UNEVEN, MISSED, COVERED = 0.5, 0.5, 0.98
"""SD log J, mm by which the inverse misses, and share of the body that both scans show, from which one has a look."""

LANDMARKS = 3.0
"""mm; AAPM TG-132 (Brock et al., Med. Phys. 2017) asks for 2 to 3 mm of landmarks."""


JUDGED = {
    "no_similarity": "similarity",
    "low_similarity": "similarity",
    "little_overlap": "coverage",
    "large_turn": "turn",
    "scaled": "scale",
    "rough": "unevenness",
    "tissue_vanishes": "volume",
    "grown": "volume",
    "size_differs": "volume",
}
"""Code of a verdict's reason to the figure that it is about."""


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
    """The table of a registration's report: the engine's own facts, as on its page, and what is to be looked at."""
    levels = _levels(report)
    found = [Row(f.name, f.value, f.meaning, levels.get(f.key, "plain")) for f in facts_of(report) if f.key != "time"]
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
    found += confidence_rows(report.get("confidence") or report.get("certainty") or {})  # its name in older scenes
    seconds = report.get("seconds", {})
    if seconds:
        found.append(Row("Time", f"{seconds.get('total', sum(seconds.values())):.0f} s", _times(seconds), "plain"))
    return found


def _levels(report: Mapping[str, Any]) -> dict[str, str]:
    """Key of a fact to how it is shown: as the verdict judges it, else by itself; what proves nothing stays plain."""
    found = {}
    similarity = _similarity(report)
    if similarity and similarity[1] <= similarity[0]:
        found["similarity"] = "look"
    if report.get("folds") is not None:
        found["folds"] = "bad" if report["folds"] else "good"
    if report.get("sd_log_j") is not None:
        found["unevenness"] = "good" if report["sd_log_j"] < UNEVEN else "look"
    if report.get("inverse_error"):
        found["inverse"] = "good" if report["inverse_error"]["p95"] < MISSED else "look"
    if report.get("coverage") is not None:
        found["coverage"] = "good" if report["coverage"] > COVERED else "look"
    for reason in (report.get("verdict") or {}).get("reasons", ()):
        if (figure := JUDGED.get(reason["code"])) is not None and found.get(figure) != "bad":
            found[figure] = "bad" if reason["level"] == "FAIL" else "look"
    return found


def confidence_rows(found: Mapping[str, Any]) -> list[Row]:
    """Where not to trust a result: of the body, and of each carried structure."""
    if not found:
        return []
    sure = "" if found["calibrated"] else " For this descriptor it only orders places: it is no probability."
    meaning = (
        f"Share of voxels whose chance to be within 4 mm of the truth is below one half, by the images alone.{sure}"
    )
    out = [Row("Doubtful", f"{100 * found['doubtful']:.0f} % of the body", meaning, _trust(found["doubtful"]))]
    means = {name: one.get("confidence", one.get("certainty", 0.0)) for name, one in found["structures"].items()}
    for name in sorted(means, key=lambda name: means[name]):
        one = found["structures"][name]
        value = f"confidence {means[name]:.2f}, {100 * one['doubtful']:.0f} % doubtful"
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

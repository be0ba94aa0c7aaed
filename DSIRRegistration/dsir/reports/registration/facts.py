"""A registration's figures in plain words; the term of the field stands in the explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One figure.

    Attributes:
        key: for programs.
        name: in plain words.
        value: with its unit.
        meaning: a sentence, with the term that papers use.
    """

    key: str
    name: str
    value: str
    meaning: str = ""


def facts_of(report: Mapping[str, Any]) -> list[Fact]:
    """The figures of ``report.json`` that a reader wants first; those it lacks are left out."""
    linear, kept = report.get("linear") or {}, (report.get("deformation") or {}).get("kept")
    found = []
    if "model" in linear:
        found.append(
            Fact("linear", "Linear part", str(linear["model"]),
                 "none, translation, rigid, similarity or affine: chosen by how much each "
                 "raises the similarity on voxels it was not fitted to, or given by the user")
        )  # fmt: skip
        found.append(
            Fact("shift", "Shift", f"{linear['shift_mm']:.1f} mm", "of the middle of the body, by the linear part")
        )
        found.append(Fact("turn", "Turn", f"{linear['turn_deg']:.1f}°", "of the linear part"))
        found.append(
            Fact("scale", "Scale", _signed(linear["scale_percent"]), "of the linear part; one person has none")
        )
    if kept is not None:
        found.append(
            Fact("deformation", "Deformation", "yes" if kept else "no", "whether a displacement field follows")
        )
    moved = report.get("displacement_mm") or {}
    if moved:
        found.append(
            Fact("displacement", "Displacement",
                 f"mean {moved['mean']:.1f}, 95 % {moved['p95']:.1f}, most {moved['max']:.1f} mm",
                 "length of the whole displacement in the fixed body, linear part included")
        )  # fmt: skip
    volume = report.get("jacobian") or {}
    if volume:
        found.append(
            Fact("volume", "Volume change", f"×{volume['p1']:.2f} to ×{volume['p99']:.2f}",
                 "Jacobian determinant in the fixed body, 1st to 99th percentile: above 1 the moving scan's tissue is "
                 "larger there, below 1 smaller")
        )  # fmt: skip
    if report.get("folds") is not None:
        found.append(
            Fact("folds", "Folded voxels", str(report["folds"]), "Jacobian determinant of 0 or less; none is allowed")
        )
    if report.get("sd_log_j") is not None:
        found.append(
            Fact("unevenness", "Unevenness", f"{report['sd_log_j']:.3f}",
                 "standard deviation of the logarithm of the Jacobian determinant (SD log J): breathing lungs about "
                 "0.2, two persons 0.3 to 0.4")
        )  # fmt: skip
    similarity = report.get("similarity") or {}
    if similarity.get("start") is not None and similarity.get("end") is not None:
        found.append(
            Fact("similarity", "Similarity", f"{similarity['start']:.2f} → {similarity['end']:.2f}",
                 "mean cosine of the descriptors in the fixed body, before and after; unrelated scans reach about 0.1")
        )  # fmt: skip
    if report.get("coverage") is not None:
        found.append(
            Fact("coverage", "Shown by both scans", f"{100 * report['coverage']:.0f} % of the body",
                 "the rest of the fixed body lies outside the moving scan; there the field fades to the linear part "
                 "and must not be trusted")
        )  # fmt: skip
    missed = report.get("inverse_error") or {}
    if missed:
        found.append(
            Fact(
                "inverse",
                "There and back",
                f"within {missed['p95']:.2f} mm",
                "error of the inverse at 95 % of points",
            )
        )
    seconds = (report.get("seconds") or {}).get("total")
    if seconds is not None:
        found.append(Fact("time", "Time", f"{seconds:.0f} s"))
    return found


def _signed(percent: float) -> str:
    """With its sign, but no minus before a nought."""
    return f"{percent:+.1f} %" if abs(percent) >= 0.05 else "0.0 %"

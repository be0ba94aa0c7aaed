"""A registration's figures in plain words; the term of the field stands in the explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...messages import as_data

MEANINGS = {
    "PASS": "nothing speaks against it; look at the pictures all the same",
    "CHECK": "look before you use it",
    "FAIL": "do not use it",
}
"""What a verdict tells to do."""

SAID = {
    "outside_field_of_view": {"little_overlap"},
    "low_similarity": {"low_similarity", "no_similarity"},
}
"""Code of a warning to the codes of a verdict's reasons that say the same."""

WORDS = {
    "linear": (
        "Linear part",
        "none, translation, rigid, similarity or affine: chosen by how much each raises the similarity on voxels it "
        "was not fitted to, or given by the user",
    ),
    "shift": ("Shift", "of the middle of the body, by the linear part"),
    "turn": ("Turn", "of the linear part"),
    "scale": ("Scale", "of the linear part; one person has none"),
    "deformation": ("Deformation", "whether a displacement field follows"),
    "displacement": ("Displacement", "length of the whole displacement in the fixed body, linear part included"),
    "volume": (
        "Volume change",
        "Jacobian determinant in the fixed body, 1st to 99th percentile: above 1 the moving scan's tissue is larger "
        "there, below 1 smaller",
    ),
    "extremes": (
        "At its strongest",
        "smallest and largest Jacobian determinant in the fixed body and where they are, in mm from the scanner's "
        "origin to the patient's right or left, front (A) or back (P), head (S) or feet (I)",
    ),
    "folds": ("Folded voxels", "Jacobian determinant of 0 or less; none is allowed"),
    "unevenness": (
        "Unevenness",
        "standard deviation of the logarithm of the Jacobian determinant (SD log J): breathing lungs about 0.2, two "
        "persons 0.3 to 0.4",
    ),
    "similarity": (
        "Similarity",
        "mean cosine of the descriptors in the fixed body, before and after; unrelated scans reach about 0.1",
    ),
    "coverage": (
        "Shown by both scans",
        "the rest of the fixed body lies outside the moving scan; there the field fades to the linear part and must "
        "not be trusted",
    ),
    "inverse": ("There and back", "error of the inverse at 95 % of points"),
    "time": ("Time", ""),
}
"""Key to name in plain words and meaning."""

EVEN = 0.02
"""Where the determinants differ by less, there is no strongest place."""


@dataclass(frozen=True)
class Fact:
    """One figure.

    Attributes:
        key: for programs, of :data:`WORDS`.
        value: with its unit.
    """

    key: str
    value: str

    @property
    def name(self) -> str:
        """In plain words."""
        return WORDS[self.key][0]

    @property
    def meaning(self) -> str:
        """A sentence, with the term that papers use."""
        return WORDS[self.key][1]


def facts_of(report: Mapping[str, Any]) -> list[Fact]:
    """The figures of ``report.json`` that a reader wants first; those it lacks are left out."""
    return [Fact(key, value) for key, value in _values(report)]


def _values(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    linear, kept = report.get("linear") or {}, (report.get("deformation") or {}).get("kept")
    if "model" in linear:
        yield "linear", str(linear["model"])
        yield "shift", f"{linear['shift_mm']:.1f} mm"
        yield "turn", f"{linear['turn_deg']:.1f}°"
        yield "scale", _signed(linear["scale_percent"])
    if kept is not None:
        yield "deformation", "yes" if kept else "no"
    moved, volume = report.get("displacement_mm") or {}, report.get("jacobian") or {}
    if moved:
        yield "displacement", f"mean {moved['mean']:.1f}, 95 % {moved['p95']:.1f}, most {moved['max']:.1f} mm"
    if volume:
        yield "volume", f"×{volume['p1']:.2f} to ×{volume['p99']:.2f}"
    if volume.get("smallest_at") and volume["largest"] - volume["smallest"] > EVEN:
        ends = ("smallest", "largest")
        yield "extremes", ", ".join(f"×{volume[end]:.2f} at {_place(volume[f'{end}_at'])}" for end in ends) + " mm"
    if report.get("folds") is not None:
        yield "folds", str(report["folds"])
    if report.get("sd_log_j") is not None:
        yield "unevenness", f"{report['sd_log_j']:.3f}"
    similarity = report.get("similarity") or {}
    if similarity.get("start") is not None and similarity.get("end") is not None:
        yield "similarity", f"{two(similarity['start'])} → {two(similarity['end'])}"
    if report.get("coverage") is not None:
        yield "coverage", f"{100 * report['coverage']:.0f} % of the body"
    missed = report.get("inverse_error") or {}
    if missed:
        yield "inverse", f"within {missed['p95']:.2f} mm"
    seconds = report.get("seconds") or {}
    if seconds:
        yield "time", f"{seconds.get('total', sum(seconds.values())):.0f} s"


def warnings_beside_verdict(report: Mapping[str, Any]) -> list[str]:
    """The warnings that no reason of the verdict says already."""
    reasons = (report.get("verdict") or {}).get("reasons") or ()
    codes, texts = {reason.get("code") for reason in reasons}, {reason["text"] for reason in reasons}
    said = report.get("messages") or as_data(report.get("warnings") or ())
    return [each["text"] for each in said if each["text"] not in texts and not SAID.get(each["code"], set()) & codes]


def _place(point: Sequence[float]) -> str:
    """RAS mm with the patient's sides in the place of signs."""
    return " ".join(f"{way[value < 0]} {abs(value):.0f}" for way, value in zip(("RL", "AP", "SI"), point, strict=True))


def two(value: float) -> str:
    """Two digits, and no minus before a nought."""
    return f"{round(value, 2) + 0.0:.2f}"


def _signed(percent: float) -> str:
    """With its sign, but no minus before a nought."""
    return f"{percent:+.1f} %" if abs(percent) >= 0.05 else "0.0 %"

"""How good an error estimate the descent's own curvature is, beside the map of confidence and within it.

    python Testing/benchmarks/expected_error.py --cases brain_t1_t2:0 brain_t1_t2:1 head_t1:0

Pairs with a known deformation (name and seed) are registered with the default preset (one thread). At random points of
the body the true error is held against

- its covariance by the descent, the diagonal of (H + R + A)^-1 (:mod:`dsir.registration.expected_error`) with the last
  level's channels and stiffness: the share of true errors within its 95 % ellipsoid, after one factor that is fitted
  on the pairs of other scans, their rank correlation, and how well it tells errors above 4 and 2 mm (area under the
  curve);
- the confidence that ships, and logistic curves fitted on the pairs of other scans: of the map's four numbers without
  the expected error, and of these with it (the map makes it from its own channels).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import chi2, rankdata, spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from calibration_fit import fit
from catalogue import KNOWN, build
from dsir.features.descriptor import load_descriptor
from dsir.geometry.sampling import affine_grid, sample
from dsir.registration.boundary_fade import faded_at_boundary
from dsir.registration.expected_error import expected_covariance
from dsir.registration.normal import normal_equations
from dsir.similarity.calibration import shipped
from dsir.similarity.confidence import curve_name, evidence_of
from dsir.transforms.composite import Transform
from last_level import again, before_last
from pairs_asked import asked, parser_of

PAIRS = ("brain_t1_t2:0", "brain_t1_t2:1", "head_t1:0", "torso_ct:0", "multiphase_ct:0", "lung_contrast:0")
POINTS = 6000
LIMITS = (4.0, 2.0)


@dataclass(frozen=True)
class Judged:
    """Points of one pair.

    Attributes:
        case: name without the seed.
        errors: (N,) mm.
        squares: (N,) squared Mahalanobis lengths of the errors, by the covariance as it is.
        expected: (N,) mm, the covariance's trace to the half.
        evidence: (N, 5) of the map.
    """

    case: str
    errors: np.ndarray
    squares: np.ndarray
    expected: np.ndarray
    evidence: np.ndarray


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0 also where there are no scans."""
    parser = parser_of(__doc__)
    parser.add_argument("--cases", nargs="+", metavar="CASE:SEED", default=list(PAIRS))
    options = asked(parser, arguments)
    if options is None:
        return 0
    found = {}
    for name in options.cases:
        case, _, seed = name.partition(":")
        if case not in KNOWN:
            parser.error(f"{case} has no known deformation; known are {', '.join(KNOWN)}.")
        with torch.no_grad():
            found[name] = judged(case, int(seed or 0), options.data)
        print(f"{name}: mean error {found[name].errors.mean():.2f} mm", file=sys.stderr, flush=True)
    print("\n".join(table(found)))
    return 0


def judged(name: str, seed: int, data: Path) -> Judged:
    """Register, and look at random points."""
    case = build(name, data, seed=seed)
    state = before_last(case)
    fixed, moving = state.placing
    field = again(state.field, fixed, moving, state.level)
    faded = faded_at_boundary(field, spacing=max(2 * float(fixed.lattice.spacing[0]), 3.0))
    transform = Transform((faded, state.linear))
    index = affine_grid(fixed.lattice, moving.lattice) + field.to_index()
    equations = normal_equations(
        fixed.features, moving.features, moving.reach, fixed.mask, index, robust=state.level.robust
    )
    covariance = expected_covariance(equations, fixed.mask, state.level.stiffness, len(fixed.features))
    seen = evidence_of(case.fixed, state.moving, transform, load_descriptor("dsir"), mask=case.body)
    body = case.body.nonzero().numpy()
    points = case.fixed.lattice.to_world(body[np.random.default_rng(0).permutation(len(body))[:POINTS]].astype(float))
    where = np.rint(seen.lattice.to_index(points)).astype(int)
    within = ((where >= 0) & (where < seen.body.shape)).all(1)
    within[within] = seen.body.numpy()[tuple(where[within].T)]
    points, where = points[within], where[within]
    wrong = transform.transform_points(points) - points - case.truth.at(points)
    wrong += 0 if case.start is None else np.asarray(case.start)
    matrix = np.linalg.inv(state.linear.matrix[:3, :3]).T @ fixed.lattice.directions
    wrong = wrong @ matrix / float(fixed.lattice.spacing[0])  # as the descent sees it: voxels, along its own axes
    at = torch.as_tensor(fixed.lattice.to_index(points).T, dtype=torch.float32)
    a, b, c, d, e, f = sample(covariance, at, padding="border").double().numpy()
    blocks = np.moveaxis(np.array([[a, d, e], [d, b, f], [e, f, c]]), -1, 0)
    return Judged(
        name,
        np.linalg.norm(wrong, axis=1) * float(fixed.lattice.spacing[0]),
        np.einsum("ni,nij,nj->n", wrong, np.linalg.inv(blocks), wrong),
        np.sqrt(a + b + c) * float(fixed.lattice.spacing[0]),
        seen.values.numpy()[(slice(None), *where.T)].T,
    )


HEADS = (
    "pair", "error mm", "above 4 mm", "factor of others", "within 95 %", "rank: map", "rank: expected",
    *(f"above {limit:g} mm: {what}" for limit in LIMITS for what in ("map", "expected", "four numbers", "with it")),
)  # fmt: skip


def table(found: dict[str, Judged]) -> list[str]:
    """Markdown; what is fitted is fitted on the pairs of other scans."""
    lines = ["| " + " | ".join(HEADS) + " |", "|---" + "|---:" * (len(HEADS) - 1) + "|"]
    curve, bound = shipped()[curve_name(load_descriptor("dsir"))], chi2.ppf(0.95, 3)
    for name, one in found.items():
        others = [other for other in found.values() if other.case != one.case]
        if not others:
            continue
        factor = float(np.exp(np.mean([np.log(np.quantile(other.squares, 0.95) / bound) for other in others])))
        doubt = -curve.probability(one.evidence)
        cells = [f"{one.errors.mean():.2f}", f"{(one.errors > 4).mean():.3f}", f"{factor:.0f}"]
        cells += [f"{(one.squares < factor * bound).mean():.3f}"]
        cells += [f"{spearmanr(score, one.errors)[0]:.2f}" for score in (doubt, one.expected)]
        for limit in LIMITS:
            bad = one.errors > limit
            scores = [doubt, one.expected]
            for count in (4, 5):
                evidence = np.concatenate([other.evidence[:, :count] for other in others])
                right = np.concatenate([other.errors <= limit for other in others])
                scores.append(-fit(evidence, right).probability(one.evidence))
            cells += [f"{under_the_curve(score, bad):.2f}" for score in scores]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def under_the_curve(score: np.ndarray, bad: np.ndarray) -> float:
    """Chance that of a bad and a good point the bad one has the higher score; NaN where all are alike."""
    count = int(bad.sum())
    if count in (0, len(bad)):
        return float("nan")
    return float((rankdata(score)[bad].sum() - count * (count + 1) / 2) / (count * (len(bad) - count)))


if __name__ == "__main__":
    sys.exit(main())

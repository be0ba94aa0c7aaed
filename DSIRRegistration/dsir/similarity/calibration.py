"""From the shape of a peak to a probability: how often is a match like this one within 4 mm of the truth?

A logistic curve on four things a query tells: how similar the best match is, by how much it beats the runner-up,
which share of the softmax mass it holds, and how much was searched. It is fitted on pairs with a known deformation; the
fitted numbers lie beside the weights they belong to, and a descriptor without them has no probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DsirError
from ..features.weights import MODELS, tuples_of
from .query import Answer

RIGHT = 4.0
"""mm from the truth within which a match is right."""

FILE = MODELS / "calibration.json"
RIDGE = 1e-2
"""Weight of the penalty on standardised coefficients; keeps the fit finite where right and wrong separate."""


@dataclass(frozen=True)
class Calibration:
    """A fitted curve.

    Attributes:
        weights: one for each of the evidence's numbers.
        offset: added to their weighted sum; the logistic function of it is the probability.
        queries: how many matches it was fitted on.
        cases: names of the pairs.
        sha256: of the network's weights; None for descriptors that have none.
    """

    weights: tuple[float, ...]
    offset: float
    queries: int = 0
    cases: tuple[str, ...] = ()
    sha256: str | None = None

    def probability(self, evidence: np.ndarray) -> np.ndarray:
        """(N, E) evidence to (N,) probabilities; numbers beyond those it was fitted on are left out."""
        known = np.asarray(evidence)[..., : len(self.weights)]
        return 1 / (1 + np.exp(-(known @ np.array(self.weights) + self.offset)))


def evidence(answer: Answer) -> np.ndarray:
    """(4,): similarity, margin, log of the share, log10 of the voxels searched."""
    searched = max(int(np.count_nonzero(answer.similarity)), 1)
    return np.array([answer.best.similarity, answer.margin, np.log(max(answer.share, 1e-9)), np.log10(searched)])


def fit(found: np.ndarray, right: np.ndarray, **facts: Any) -> Calibration:
    """Fit the curve by Newton's method.

    Args:
        found: (N, E) evidence of N matches.
        right: (N,) bool, whether they were right.

    Raises:
        DsirError: fewer than 20 matches, or all right, or all wrong: nothing can be learned.
    """
    right = np.asarray(right, dtype=float)
    if len(right) < 20 or right.min() == right.max():
        raise DsirError(f"{len(right)} matches of one kind are too few to calibrate a confidence on.")
    mean, deviation = found.mean(0), np.maximum(found.std(0), 1e-9)
    columns = np.column_stack([(found - mean) / deviation, np.ones(len(found))])
    penalty = RIDGE * len(found) * np.diag([1.0] * found.shape[1] + [0.0]) / found.shape[1]
    beta = np.zeros(columns.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-columns @ beta))
        curvature = (columns * (chance * (1 - chance))[:, None]).T @ columns + penalty + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(curvature, columns.T @ (right - chance) - penalty @ beta)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    weights = beta[:-1] / deviation
    offset = float(beta[-1] - weights @ mean)
    return Calibration(tuple(float(w) for w in weights), offset, queries=len(right), **facts)


def left_out(found: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) probabilities of every pair's matches, each pair's by the curve fitted on the other pairs.

    Args:
        found: (Ni, 4) evidence of each pair.
        right: (Ni,) bool.
    """
    chances = []
    for number, part in enumerate(found):
        rest = [n for n in range(len(found)) if n != number]
        curve = fit(np.concatenate([found[n] for n in rest]), np.concatenate([right[n] for n in rest]))
        chances.append(curve.probability(part))
    return np.concatenate(chances)


def chance_within(answer: Answer, identity: Mapping[str, Any]) -> float | None:
    """The probability that the best match lies within 4 mm of the truth; None for a descriptor never calibrated.

    Args:
        identity: the descriptor's, with the hash of its weights.
    """
    known = shipped().get(key(str(identity.get("descriptor")), alone=answer.alone))
    if known is None or known.sha256 != identity.get("sha256"):
        return None
    return float(known.probability(evidence(answer)[None])[0])


def key(descriptor: str, *, alone: bool) -> str:
    """The name a calibration goes by: a voxel that speaks for itself is right less often than with surroundings."""
    return f"{descriptor}:alone" if alone else descriptor


@cache
def shipped() -> dict[str, Calibration]:
    """The calibrations that come with the models, by the descriptor's name."""
    return read(FILE) if FILE.exists() else {}


def read(path: Path) -> dict[str, Calibration]:
    """Read what :func:`write` wrote.

    Raises:
        DsirError: the file is damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {name: Calibration(**tuples_of(one)) for name, one in values.items()}
    except (ValueError, TypeError, AttributeError, OSError):
        raise DsirError(f"{path} holds no calibration of confidences.") from None


def write(path: Path, calibrations: dict[str, Calibration]) -> None:
    """Write calibrations as JSON."""
    from ..files.atomic import complete_file

    text = json.dumps({name: asdict(one) for name, one in calibrations.items()}, indent=2) + "\n"
    with complete_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def reliability(chance: np.ndarray, right: np.ndarray, bins: int = 8) -> np.ndarray:
    """(bins, 3): mean probability, share that was right, and count, in bins of equally many matches."""
    order = np.argsort(chance)
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return np.array([[chance[part].mean(), right[part].mean(), len(part)] for part in parts])

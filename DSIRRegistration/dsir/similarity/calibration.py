"""From the shape of a peak to a probability: how often is a match like this one within 4 mm of the truth?

A logistic curve on four things a query tells: how similar the best match is, by how much it beats the runner-up,
which share of the softmax mass it holds, and how much was searched. It is fitted on pairs with a known deformation
(``Testing/benchmarks/calibration_fit.py``); the numbers lie beside the weights they belong to, and a descriptor without
them has no probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
    """Read the fitted curves of a file.

    Raises:
        DsirError: the file is damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {name: Calibration(**tuples_of(one)) for name, one in values.items()}
    except (ValueError, TypeError, AttributeError, OSError):
        raise DsirError(f"{path} holds no calibration of confidences.") from None

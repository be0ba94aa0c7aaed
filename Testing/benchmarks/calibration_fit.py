"""How the curves of confidence are fitted, judged on pairs they were not fitted to, and written for the engine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from dsir.errors import DsirError
from dsir.files.atomic import write_text
from dsir.similarity.calibration import Calibration

RIDGE = 1e-2
"""Weight of the penalty on standardised coefficients; keeps the fit finite where right and wrong separate."""


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


def write(path: Path, calibrations: dict[str, Calibration]) -> None:
    """Write calibrations as JSON."""
    write_text(path, json.dumps({name: asdict(one) for name, one in calibrations.items()}, indent=2) + "\n")


def reliability(chance: np.ndarray, right: np.ndarray, bins: int = 8) -> np.ndarray:
    """(bins, 3): mean probability, share that was right, and count, in bins of equally many matches."""
    order = np.argsort(chance)
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return np.array([[chance[part].mean(), right[part].mean(), len(part)] for part in parts])

"""Fit the confidence of ``dsir confidence`` on registrations with a known error, and show how far it can be believed.

    python Testing/benchmarks/calibrate_map.py [--descriptors mind dsir] [--write] [--figure reliability_map.png]
    python Testing/benchmarks/calibrate_map.py --shipped

Each pair with a known deformation (:mod:`calibration_pairs`) is registered, by the preset ``fast``; the result is
judged as it is, and once more bent by up to 12 mm, as a registration that went astray. Every person is judged by the
curve fitted on the others, and ``--unseen`` pairs of ``cases/``, whom nothing was ever fitted to, by that of all.
``--write`` stores this curve beside the models. ``--shipped`` fits nothing: the unseen pairs by the curve that ships.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from calibrate_confidence import draw  # noqa: E402
from calibration_fit import fit, left_out, reliability, write  # noqa: E402
from calibration_pairs import calibration_pairs  # noqa: E402
from catalogue import KNOWN, build  # noqa: E402
from dsir.evaluation.cases import Case  # noqa: E402
from dsir.evaluation.deformation import DeformationSettings, random_deformation  # noqa: E402
from dsir.features.descriptor import Descriptor, load_descriptor  # noqa: E402
from dsir.registration.presets import preset  # noqa: E402
from dsir.registration.register import register  # noqa: E402
from dsir.similarity.calibration import FILE, RIGHT, read  # noqa: E402
from dsir.similarity.confidence import DOUBTFUL, SURE, curve_name, evidence_of  # noqa: E402
from dsir.transforms.composite import Transform  # noqa: E402
from remembering import Remembering  # noqa: E402

ASTRAY = DeformationSettings(knots=45.0, amplitude=12.0)
VOXELS = 4000
"""Of each map that are looked at."""


@dataclass(frozen=True)
class Judged:
    """Voxels of one pair, both registrations: (N, 5) evidence, (N,) errors in mm."""

    case: str
    evidence: np.ndarray
    errors: np.ndarray


def transforms(case: Case, seed: int = 0) -> list[Transform]:
    """The registration, and the same led astray."""
    found = register(case.fixed, case.moving, preset("fast", device="cpu", threads=1)).transform
    wrong = random_deformation(case.fixed.lattice, ASTRAY, seed=seed + 77, mask=case.body)
    return [found, Transform((wrong, *found.parts))]


def judged(case: Case, found: list[Transform], descriptor: Descriptor, seed: int = 0) -> Judged:
    """Evidence and error at random voxels of the fixed body."""
    evidence, errors = [], []
    for transform in found:
        seen = evidence_of(case.fixed, case.moving, transform, descriptor, mask=case.body)
        index = seen.body.nonzero().numpy()
        index = index[np.random.default_rng(seed).permutation(len(index))[:VOXELS]]
        points = seen.lattice.to_world(index)
        evidence.append(seen.values[(slice(None), *index.T)].numpy().T)
        errors.append(np.linalg.norm(transform.transform_points(points) - points - case.truth.at(points), axis=1))
    return Judged(case.name, np.concatenate(evidence), np.concatenate(errors))


def row(name: str, chance: np.ndarray, errors: np.ndarray) -> str:
    """What a reader asks: how many of the sure ones are right, and how much of the error the flagged ones hold."""
    right, sure, flagged = errors <= RIGHT, chance >= SURE, chance < DOUBTFUL
    wrong = ~right
    cells = (
        name,
        f"{right.mean():.2f}",
        f"{sure.mean():.2f}",
        f"{right[sure].mean() if sure.any() else 0:.2f}",
        f"{flagged.mean():.2f}",
        f"{wrong[flagged].sum() / max(wrong.sum(), 1):.2f}",
        f"{errors[flagged].mean() if flagged.any() else 0:.1f}",
        f"{errors[~flagged].mean() if (~flagged).any() else 0:.1f}",
        f"{((chance - right) ** 2).mean():.3f}",
        f"{right.mean() * (1 - right.mean()):.3f}",
    )
    return "| " + " | ".join(cells) + " |"


HEADS = (
    "descriptor", "within 4 mm", f"share called {SURE:g} or surer", "of these right", "share flagged (below 0.5)",
    "of all wrong voxels, flagged", "error of the flagged, mm", "of the others", "Brier score", "of the base rate",
)  # fmt: skip


def _all(cases: Iterable[Case], descriptors: Iterable[Descriptor]) -> dict[str, list[Judged]]:
    """By the descriptor's name; each pair is registered once."""
    found: dict[str, list[Judged]] = {descriptor.name: [] for descriptor in descriptors}
    for case in cases:
        results = transforms(case)
        for descriptor in descriptors:
            part = judged(case, results, descriptor)
            found[descriptor.name].append(part)
            said = f"{case.name}, {descriptor.name}: {(part.errors <= RIGHT).mean():.2f} within {RIGHT:g} mm"
            print(said, file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--descriptors", nargs="+", default=["mind", "dsir"])
    parser.add_argument("--unseen", nargs="*", choices=list(KNOWN), default=["brain_t1_t2", "lung_contrast"])
    parser.add_argument("--shipped", action="store_true", help="judge the unseen pairs alone")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    if not (options.data / "train").is_dir():
        print(f"No scans to calibrate on: {options.data / 'train'} does not exist.")
        return 0
    torch.set_num_threads(1)
    descriptors: dict[str, Descriptor] = {name: Remembering(load_descriptor(name)) for name in options.descriptors}
    parts = {} if options.shipped else _all(calibration_pairs(options.data), descriptors.values())
    unseen = _all((build(name, options.data / "cases") for name in options.unseen), descriptors.values())
    print("| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS), sep="\n")
    stored, curves = read(FILE) if FILE.exists() else {}, {}
    if options.shipped:
        for name, descriptor in descriptors.items():
            for part in unseen[name]:
                chance = stored[curve_name(descriptor)].probability(part.evidence)
                print(row(f"{name}, {part.case}, unseen", chance, part.errors), flush=True)
        return 0
    for name, descriptor in descriptors.items():
        found, errors = [part.evidence for part in parts[name]], np.concatenate([p.errors for p in parts[name]])
        chance = left_out(found, [part.errors <= RIGHT for part in parts[name]])
        print(row(name, chance, errors), flush=True)
        curves[name] = reliability(chance, errors <= RIGHT, bins=10)
        curve = fit(
            np.concatenate(found), errors <= RIGHT,
            cases=tuple(p.case for p in parts[name]), sha256=descriptor.identity.get("sha256"),
        )  # fmt: skip
        stored[curve_name(descriptor)] = curve
        for part in unseen[name]:
            print(row(f"{name}, {part.case}, unseen", curve.probability(part.evidence), part.errors), flush=True)
    if options.write:
        write(FILE, stored)
    if options.figure:
        draw(curves, options.figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fit the confidence of matches on pairs with a known deformation, and show how far it can be believed.

    python Testing/benchmarks/calibrate_confidence.py --descriptors mind dsir [--data ../shared/data] [--points 150]
        [--unseen brain_t1_t2 lung_contrast] [--write] [--figure reliability.png]

Every person (:mod:`calibration_pairs`) is looked at with the curve fitted on the others; these left-out probabilities
make the reliability curve and the table. ``--unseen`` pairs of ``cases/``, whom nothing was ever fitted to, are looked
at with the curve of all. ``--write`` stores this curve beside the models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from calibration_fit import fit, left_out, reliability, write  # noqa: E402
from calibration_pairs import calibration_pairs  # noqa: E402
from catalogue import KNOWN, build  # noqa: E402
from dsir.errors import DsirError  # noqa: E402
from dsir.evaluation.cases import Case  # noqa: E402
from dsir.features.descriptor import Descriptor, load_descriptor  # noqa: E402
from dsir.similarity.calibration import FILE, RIGHT, evidence, key, read  # noqa: E402
from dsir.similarity.describe import describe_image  # noqa: E402
from dsir.similarity.figure import NAMES  # noqa: E402
from dsir.similarity.query import query  # noqa: E402
from dsir.similarity.store import FeatureStore  # noqa: E402

RADII = (None, 30.0)
SURE = 0.8
HEADS = (
    "descriptor", "best match within 4 mm", "whole volume", "within 30 mm", "share called 0.8 or surer",
    "of these right", "Brier score", "of the base rate",
)  # fmt: skip
COLOURS = {"dsir": "#c2410c", "mind": "#2563a8", "cnn": "#6b7280"}


@dataclass(frozen=True)
class Matches:
    """What was found in one pair: (N, 4) evidence, (N,) errors in mm."""

    case: str
    evidence: np.ndarray
    errors: np.ndarray


def described(case: Case, descriptor: Descriptor) -> tuple[FeatureStore, FeatureStore]:
    """The fixed and the moving image."""
    body = case.body if bool(case.body.any()) else torch.ones_like(case.body)
    fixed = describe_image(case.fixed, descriptor, mask=body, spacing=descriptor.spacing or 2.0)
    return fixed, describe_image(case.moving, descriptor, spacing=descriptor.spacing or 2.0)


def matches(
    case: Case, fixed: FeatureStore, moving: FeatureStore, points: int, *, alone: bool, seed: int = 0
) -> Matches:
    """Look for random voxels of the fixed body in the moving image, in the whole volume and within 30 mm."""
    rng = np.random.default_rng(seed)
    inside = case.body.nonzero().numpy()
    asked = case.fixed.lattice.to_world(inside[rng.permutation(len(inside))[: 2 * points]])
    truth = case.truth.transform_points(asked)
    found, errors = [], []
    for point, place in zip(asked, truth, strict=True):
        if not moving.lattice.contains(place) or len(errors) >= len(RADII) * points:
            continue
        try:
            answers = [query(fixed, point, moving, radius=radius, alone=alone, threads=1) for radius in RADII]
        except DsirError:  # flat there, or too far from everything
            continue
        found += [evidence(answer) for answer in answers]
        errors += [np.linalg.norm(answer.best.point - place) for answer in answers]
    return Matches(case.name, np.array(found), np.array(errors))


def row(title: str, parts: Sequence[Matches], chance: np.ndarray) -> str:
    """How often the best match is right, and how far its probability can be believed."""
    right, sure = np.concatenate([part.errors <= RIGHT for part in parts]), chance >= SURE
    whole, near = (np.concatenate([p.errors[n :: len(RADII)] for p in parts]) <= RIGHT for n in range(2))
    cells = (
        title,
        f"{right.mean():.2f}",
        f"{whole.mean():.2f}",
        f"{near.mean():.2f}",
        f"{sure.mean():.2f}",
        f"{right[sure].mean():.2f}" if sure.any() else "–",
        f"{((chance - right) ** 2).mean():.3f}",
        f"{right.mean() * (1 - right.mean()):.3f}",
    )
    return "| " + " | ".join(cells) + " |"


def draw(curves: dict[str, np.ndarray], target: Path) -> None:
    """Reliability curves on white, one line for each descriptor."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.5, 3.3), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#b9bec6", lw=0.9, zorder=0)
    for name, curve in curves.items():
        descriptor, *alone = name.split(":")
        label = NAMES.get(descriptor, descriptor) + (", voxel alone" if alone else "")
        look = {"marker": "o", "ms": 4, "lw": 1.3, "ls": ":" if alone else "-"}
        axes.plot(*curve[:, :2].T, color=COLOURS.get(descriptor), label=label, **look)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xlabel("predicted probability", size=8)
    axes.set_ylabel("share within 4 mm of the truth", size=8)
    axes.tick_params(labelsize=7)
    axes.legend(frameon=False, fontsize=7.5, loc="upper left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(target, dpi=200)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--descriptors", nargs="+", default=["mind", "dsir"])
    parser.add_argument("--points", type=int, default=150)
    parser.add_argument("--unseen", nargs="*", choices=list(KNOWN), default=["brain_t1_t2", "lung_contrast"])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    if not (options.data / "train").is_dir():
        print(f"No scans to calibrate on: {options.data / 'train'} does not exist.")
        return 0
    torch.set_num_threads(1)
    cases = list(calibration_pairs(options.data))
    unseen = [build(name, options.data / "cases") for name in options.unseen]
    stored, curves = read(FILE) if FILE.exists() else {}, {}
    print("| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS), sep="\n")
    descriptors = [load_descriptor(name) for name in options.descriptors]
    stores = {d.name: [described(case, d) for case in (*cases, *unseen)] for d in descriptors}
    for descriptor, alone in product(descriptors, (True, False)):
        title = key(descriptor.name, alone=alone)
        pairs = zip((*cases, *unseen), stores[descriptor.name], strict=True)
        looked = [matches(case, *pair, options.points, alone=alone) for case, pair in pairs]
        parts, others = looked[: len(cases)], looked[len(cases) :]
        right = np.concatenate([part.errors <= RIGHT for part in parts])
        chance = left_out([part.evidence for part in parts], [part.errors <= RIGHT for part in parts])
        print(row(title, parts, chance), flush=True)
        curves[title] = reliability(chance, right)
        stored[title] = fit(
            np.concatenate([p.evidence for p in parts]), right, cases=tuple(p.case for p in parts),
            sha256=descriptor.identity.get("sha256"),
        )  # fmt: skip
        for part in others:
            print(row(f"– {part.case}, unseen", [part], stored[title].probability(part.evidence)), flush=True)
    if options.write:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        write(FILE, stored)
    if options.figure:
        draw(curves, options.figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Steering: a registration spoiled on purpose, and what accepted matches make of it.

    python Testing/benchmarks/steering.py --out runs

Two ways to spoil a pair: a start that is wrong by 60 mm, and half of the moving view missing on top of it. A user is
simulated who looks where the result is wrong: places in the fixed body are asked for by the descriptor, in the whole
moving image; a best match within 4 mm of the truth is what such a user recognises and accepts, with its own error and
its own confidence. After one pair and after three the result is refined. ``icbm152`` needs the nilearn package only;
the other cases need a folder of public scans (``--data``). Seconds are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, build
from dsir.errors import DsirError
from dsir.evaluation.cases import Case
from dsir.evaluation.demo import demo_case
from dsir.features.descriptor import load_descriptor
from dsir.files.landmarks import LandmarkPairs
from dsir.geometry.image import Image
from dsir.registration.presets import preset
from dsir.registration.register import RegistrationResult, register
from dsir.registration.settings import RegistrationSettings
from dsir.similarity.calibration import chance_within
from dsir.similarity.describe import describe_image
from dsir.similarity.query import query
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from robustness import EMBEDDED, half

PROJECT = Path(__file__).resolve().parents[2]
WRONG = 60.0 * np.array([2.0, -1.0, 2.0]) / 3
"""mm; 60 in length, along no axis."""

RIGHT = 4.0
"""mm from the truth within which the simulated user recognises a match as right."""

TRIES = 400
"""Places that are asked for at most."""

HEADS = ("case", "spoiled by", "run", "error mm", "p95", "pairs before mm", "after", "similarity", "folds", "CPU s")


@dataclass(frozen=True)
class Measured:
    """Points of the fixed body with a counterpart in what is left of the moving image."""

    points: np.ndarray
    truth: np.ndarray

    @staticmethod
    def of(case: Case, moving: Image) -> Measured:
        points = case.fixed.lattice.to_world(torch.nonzero(case.body).numpy()[::7])
        truth = points + case.truth.at(points)
        seen = moving.lattice.contains(truth)
        return Measured(points[seen], truth[seen])

    def errors(self, transform: Transform) -> np.ndarray:
        """(N,) mm."""
        return np.linalg.norm(transform.transform_points(self.points) - self.truth, axis=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write."""
    options = _options(arguments)
    settings = preset(options.preset, descriptor=options.descriptor, device="cpu", threads=1)
    torch.set_num_threads(1)
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    print(*lines, sep="\n", flush=True)
    for name in options.cases:
        if name != EMBEDDED and not options.data.is_dir():
            print(f"{name} is left out: there is no folder {options.data}.")
            continue
        case = demo_case(seed=options.seed) if name == EMBEDDED else build(name, options.data, seed=options.seed)
        for cells in rows(case, settings, options.ask_by, options.seed):
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "steering.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def rows(case: Case, settings: RegistrationSettings, ask_by: str, seed: int):
    """For each way to spoil the case: without pairs, with one, with three, and from the good start."""
    start = np.eye(4)
    start[:3, 3] = WRONG
    wrong = Transform((Linear(start),))
    for spoiled, moving in (("60 mm", case.moving), ("60 mm, half the view", half(case.moving, 2, 1))):
        measured = Measured.of(case, moving)

        def row(
            run: str, result: RegistrationResult, seconds: float, spoiled: str = spoiled, measured: Measured = measured
        ) -> tuple[str, ...]:
            errors, pairs = measured.errors(result.transform), result.report["landmarks"]
            apart = [f"{pairs[side]['mean_mm']:.1f}" for side in ("before", "after")] if pairs else ["", ""]
            figures = (f"{errors.mean():.2f}", f"{np.quantile(errors, 0.95):.2f}", *apart)
            last = (f"{result.report['similarity']['end']:.2f}", str(result.report["folds"]), f"{seconds:.1f}")
            return (case.name, spoiled, run, *figures, *last)

        first, seconds = _timed(case.fixed, moving, settings, initial=wrong)
        yield row("no pairs", first, seconds)
        accepted = recognised(case, moving, measured, first.transform, ask_by, 3, seed)
        result = first
        for count in (1, 3):
            some = LandmarkPairs(*(values[:count] for values in accepted))
            result, seconds = _timed(case.fixed, moving, settings, refine=result.transform, landmarks=some)
            yield row(f"refined with {count}", result, seconds)
        result, seconds = _timed(case.fixed, moving, settings, refine=result.transform, landmarks=some)
        yield row("and once more", result, seconds)
        yield row("from the good start", *_timed(case.fixed, moving, settings))


def recognised(
    case: Case, moving: Image, measured: Measured, present: Transform, name: str, count: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Fixed points, best matches, tolerances and confidences of the matches that the simulated user accepts.

    The first places asked for are those where the present result is worst, apart from each other.

    Raises:
        DsirError: the descriptor finds too few.
    """
    descriptor = load_descriptor(name)
    here = describe_image(case.fixed, descriptor, mask=case.body)
    there = describe_image(moving, descriptor)
    errors = measured.errors(present)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(errors >= np.quantile(errors, 0.5)))
    found: list[tuple[np.ndarray, np.ndarray, float, float]] = []
    for n in order[:TRIES]:
        if any(np.linalg.norm(measured.points[n] - pair[0]) < 30 for pair in found):
            continue
        try:
            answer = query(here, measured.points[n], there)
        except DsirError:
            continue
        if np.linalg.norm(answer.best.point - measured.truth[n]) <= RIGHT:
            chance = chance_within(answer, descriptor.identity)
            found.append((measured.points[n], answer.best.point, 2.0, 1.0 if chance is None else chance))
        if len(found) == count:
            return tuple(np.array(column) for column in zip(*found, strict=True))
    raise DsirError(f"{name} finds only {len(found)} of {count} places again in {case.name}.")


def _timed(fixed: Image, moving: Image, settings: RegistrationSettings, **options) -> tuple[RegistrationResult, float]:
    began = time.process_time()
    return register(fixed, moving, settings, **options), time.process_time() - began


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=[EMBEDDED, *KNOWN], metavar="CASE",
                        default=[EMBEDDED, "brain_t1_t2"])  # fmt: skip
    parser.add_argument("--descriptor", default="mind", help="to register by")
    parser.add_argument("--ask-by", default="dsir", help="descriptor of the matches")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--seed", type=int, default=0, help="of the deformations and the places asked for")
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data" / "cases", help="scans")
    parser.add_argument("--out", type=Path, help="folder for steering.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

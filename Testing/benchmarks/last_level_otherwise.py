"""The level of the default that places, done otherwise: what was tried in its place.

    python Testing/benchmarks/last_level_otherwise.py --cases brain_t1_t2 head_t1 --seed 1
    python Testing/benchmarks/last_level_otherwise.py --what stiffness

Each pair is registered with the default preset (one thread) up to that level, which then starts from the same
field:

- ``lncc``: channels are freed of their local mean and divided by their local deviation first, within 1 to 4 voxels
  (standard deviation of the Gaussian), so that squared differences are local normalised cross-correlations: of all
  channels, or of their 16 leading directions first, weighed by the pair's residuals or not.
- ``gate``: the level runs in both directions. Its step is kept, region by region (8 voxels), only where the similarity
  rises in both directions and both agree on the step better than they agree on none; ``both`` is their mean.
- ``stiffness``: half, once and twice as stiff, and what is chosen of these by mutual information of the images' grey
  values, which no level is fitted to.

Mean end-point error in mm; on real pairs landmarks' error in mm, or Dice. In brackets the seconds of the level.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, REAL, build
from dsir.geometry.sampling import affine_grid, gaussian_blur, sample
from dsir.registration.descent import descend
from dsir.registration.evidence import Judge
from dsir.registration.leading_directions import projected
from dsir.registration.local_correlation import standardised
from dsir.registration.prepared_image import PreparedImage
from dsir.registration.regularity import remove_folds
from dsir.registration.residual_weighing import residual_weights
from dsir.registration.working_grid import FeatureMap
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.inversion import invert_field
from last_level import CASES, Before, Maps, again, before_last
from pairs_asked import asked, parser_of

WIDTHS = (1.0, 1.5, 2.0, 4.0)
"""Voxels."""

REGION = 8.0
"""Voxels, standard deviation of the Gaussian over which the gate judges."""

STIFFER = (0.5, 1.0, 2.0)

Row = tuple[str, float, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0 also where there are no scans."""
    parser = parser_of(__doc__, [*KNOWN, *REAL], CASES)
    parser.add_argument("--what", nargs="+", choices=list(WAYS), metavar="WAY", default=list(WAYS))
    options = asked(parser, arguments)
    if options is None:
        return 0
    for name in options.cases:
        with torch.no_grad():
            state = before_last(build(name, options.data, seed=options.seed))
            print(name, f"none {state.error(state.field):.3f}", flush=True)
            for way in options.what:
                for what, figure, seconds in WAYS[way](state):
                    print(f"  {what} {figure:.3f} ({seconds:.0f} s)", flush=True)
    return 0


def timed(work: Callable[[], DisplacementField]) -> tuple[DisplacementField, float]:
    """What it gives, and seconds of processor."""
    before = time.process_time()
    return work(), time.process_time() - before


def lncc(state: Before) -> Iterator[Row]:
    """Local normalised cross-correlation of channels: all of them, or their leading directions."""
    fixed, moving = state.placing
    u = state.field.on(fixed.lattice).to_index()

    def level(pair: Maps, width: float) -> DisplacementField:
        here, there = (standardised(image, width) for image in pair)
        return DisplacementField.from_index(descend(here, there, u, state.level)[0], fixed.lattice)

    for width in WIDTHS:
        field, seconds = timed(lambda width=width: level(state.placing, width))  # type: ignore[misc]
        yield f"LNCC within {width:g} voxels", state.error(field), seconds
    as_they_are, whitened = torch.eye(len(fixed.features)), residual_weights(fixed, moving, u, state.level.robust)
    for words, weights in (("16 directions", as_they_are), ("16 directions, weighed", whitened)):
        for width in WIDTHS:

            def leading(width: float = width, weights: torch.Tensor = weights) -> DisplacementField:
                return level(projected(fixed, moving, weights), width)

            field, seconds = timed(leading)
            yield f"LNCC within {width:g} voxels of {words}", state.error(field), seconds


def gate(state: Before) -> Iterator[Row]:
    """Both directions, and the step of one where both speak for it."""
    fixed, moving = state.placing
    start = state.field.on(fixed.lattice)

    def forth() -> DisplacementField:
        return again(start, fixed, moving, state.level)

    def back() -> DisplacementField:
        return again(invert_field(start, moving.lattice), apart(moving), fixed, state.level)

    forward, seconds = timed(forth)
    backward, more = timed(back)
    led_back = invert_field(backward, fixed.lattice)
    yield "default", state.error(forward), seconds
    both = DisplacementField((forward.vectors + led_back.vectors) / 2, fixed.lattice)
    yield "both directions", state.error(both), seconds + more
    step = (both.vectors - start.vectors).square().sum(0)
    between = (forward.vectors - led_back.vectors).square().sum(0)
    here = rise(fixed, moving, start, forward)
    there = rise(moving, fixed, invert_field(start, moving.lattice), backward)
    there = sample(there[None], affine_grid(fixed.lattice, moving.lattice) + forward.to_index(), padding="border")[0]
    kept = [averaged(here), averaged(there), averaged(step - between)]
    share = gaussian_blur(torch.stack([one > 0 for one in kept]).all(0).float()[None], 2.0)
    u = start.vectors + share * (forward.vectors - start.vectors)
    unfolded = remove_folds(DisplacementField(u, fixed.lattice).to_index())[0]
    part = float((share[0] * fixed.mask).sum() / fixed.mask.sum())
    gated = DisplacementField.from_index(unfolded, fixed.lattice)
    yield f"gated, {part:.2f} kept", state.error(gated), seconds + more


def apart(image: FeatureMap) -> FeatureMap:
    """Channels apart in memory, as a fixed image's are."""
    return replace(image, features=image.features.contiguous())


def rise(fixed: FeatureMap, moving: FeatureMap, before: DisplacementField, after: DisplacementField) -> torch.Tensor:
    """(I, J, K) of the cosine, over the fixed body."""
    base = affine_grid(fixed.lattice, moving.lattice)
    found = torch.zeros(fixed.lattice.shape)
    for field, sign in ((before, -1), (after, 1)):
        index = base + field.on(fixed.lattice).to_index()
        for n in range(len(found)):
            warped = sample(moving.features, index[:, n : n + 1], padding="border")[:, 0]
            found[n] += sign * (fixed.features[:, n].float() * warped.float()).sum(0)
    return found * fixed.mask


def averaged(values: torch.Tensor) -> torch.Tensor:
    """Over a region."""
    return gaussian_blur(values[None], REGION)[0]


def stiffness(state: Before) -> Iterator[Row]:
    """Three of them, and the one that mutual information prefers."""
    fixed, moving = state.placing
    bodies = PreparedImage.of(state.fixed, state.masks[0], 2.0), PreparedImage.of(state.moving, state.masks[1], 2.0)
    judge = Judge.on(fixed.lattice, *bodies)
    found, spent = [], 0.0
    for factor in STIFFER:
        held = replace(state.level.stiffness, bending=factor * state.level.stiffness.bending)
        level = replace(state.level, stiffness=held)
        field, seconds = timed(lambda level=level: again(state.field, fixed, moving, level))  # type: ignore[misc]
        said = judge.compare(Transform((state.linear,)), Transform((field, state.linear)))
        error, spent = state.error(field), spent + seconds
        found.append((said.whole, error))
        yield f"{factor:g} times as stiff, mutual information {said.whole:.4f}", error, seconds
    yield "as mutual information prefers", max(found)[1], spent


WAYS: dict[str, Callable[[Before], Iterator[Row]]] = {"lncc": lncc, "gate": gate, "stiffness": stiffness}

if __name__ == "__main__":
    sys.exit(main())

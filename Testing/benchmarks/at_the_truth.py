"""Whether the descriptors or the solver are what the last level's error is made of: both begin at the true field.

    python Testing/benchmarks/at_the_truth.py --cases brain_t1_t2 head_t1 --seed 0
    python Testing/benchmarks/at_the_truth.py --place runs/place/weights.safetensors     # another place head beside it

Patches of 14 mm, which move as wholes, begin where they belong; the table says how far one and twelve Gauss-Newton
steps on each descriptor lead them away (median, and root mean square of what is cut at 8 mm). One step is not what the
descriptor's own minimum is: noise in the gradients shortens it. Then the last level of the default begins at the true
field; what it ends at no better start can undercut. mm, one thread.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import KNOWN, build
from dsir.evaluation.cases import Case
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import affine_grid, index_grid
from dsir.progress import silent
from dsir.registration.handed_on import Start
from dsir.registration.placing import SHARE, LevelFeatures
from dsir.registration.presets import preset
from dsir.registration.stages import describe_both, prepare
from dsir.registration.working_grid import FeatureMap
from dsir.training.gauss_newton import SIDE, Patches, descended
from dsir.training.views import cube
from dsir.transforms.linear import Linear
from last_level import again, error, with_place
from pairs_asked import asked, parser_of

CASES = ["brain_t1_t2", "brain_t2_t1", "head_t1", "multiphase_ct", "lung_contrast"]
COUNT, FARTHEST = 400, 8.0
"""Patches, and mm beyond which a stray patch counts no more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0 also where there are no scans."""
    parser = parser_of(__doc__, list(KNOWN), CASES)
    parser.add_argument("--place", type=Path, nargs="+", metavar="WEIGHTS", default=[], help="of other place heads")
    options = asked(parser, arguments)
    if options is None:
        return 0
    print("| pair | descriptor | patches, 1 step | 12 steps | last level from the truth |\n|---|---|---:|---:|---:|")
    for name in options.cases:
        with torch.no_grad():
            for row in rows(build(name, options.data, seed=options.seed), options.place):
                print(f"| {name} | {row} |", flush=True)
    return 0


def rows(case: Case, places: Sequence[Path]) -> list[str]:
    """A row for each descriptor."""
    assert case.truth is not None
    settings = preset("default", device="cpu", threads=1)
    prepared, linear = prepare(case.fixed, case.moving, None, None, settings, silent), Linear(np.eye(4))
    features = describe_both(prepared, linear, Start(), silent)
    views = LevelFeatures(prepared, features)
    pairs = {"MIND-SSC": views.detail(), "place vectors": alone(views), "both, as shipped": views.placing}
    for path in places:
        others = with_place(views, path)
        pairs |= {f"{path}, alone": alone(others), f"{path}, and MIND-SSC": others.placing}
    truth = case.truth.on(features.lattice)
    found = []
    for name, (fixed, moving) in pairs.items():
        start = patches(fixed, moving.lattice, truth.to_index())
        ends = [strayed(fixed, moving, start, steps) for steps in (1, 12)]
        last = again(truth, fixed, moving, next(level for level in settings.descent.levels if level.place))
        found.append(f"{name} | {' | '.join(ends)} | {error(case, last, linear, features):.3f}")
    return found


def alone(views: LevelFeatures) -> tuple[FeatureMap, FeatureMap]:
    """Place vectors without MIND-SSC, of length one."""
    count = views.place.channels
    fixed, moving = (
        replace(image, features=image.room(count).copy_(image.features[:count] * (1 - SHARE) ** -0.5))
        for image in views.placing
    )
    return fixed, moving


def patches(fixed: FeatureMap, moving: Lattice, truth: torch.Tensor) -> Patches:
    """Cubes deep enough in the body, read where the truth (3, I, J, K voxels) says."""
    reach = SIDE // 2 + 1
    inside = fixed.mask > 0.5
    around = -F.max_pool3d(-inside.float()[None], 2 * reach + 1, 1)[0]  # only cubes that lie within the volume
    deep = (around > 0.5).nonzero() + reach
    chosen = deep[torch.randperm(len(deep), generator=torch.Generator().manual_seed(0))[:COUNT]].T
    here = chosen[:, :, None] + cube(reach)
    base = affine_grid(fixed.lattice, moving)
    there = (base + truth)[:, here[0], here[1], here[2]]
    shift = base - index_grid(fixed.lattice.shape)
    assert float((shift - shift[:, :1, :1, :1]).abs().max()) < 1e-3, "both lie on lattices of one direction"
    return Patches(here.float(), there, torch.zeros(3, chosen.shape[1]), torch.eye(3))


def strayed(fixed: FeatureMap, moving: FeatureMap, start: Patches, steps: int) -> str:
    """Median and root mean square distance, mm, of the patches after so many steps."""
    ends = descended(fixed.features.float(), moving.features.float(), start, steps)
    length = ends.offset.norm(dim=0) * float(fixed.lattice.spacing[0])
    return f"{float(length.median()):.2f}, {float(length.clamp(max=FARTHEST).square().mean().sqrt()):.2f}"


if __name__ == "__main__":
    sys.exit(main())

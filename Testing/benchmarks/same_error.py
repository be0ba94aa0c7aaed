"""How much of the error is the same whatever the deformation: errors of several, each laid back on the moving scan.

    python Testing/benchmarks/same_error.py --cases brain_t1_t2 head_t1 --deformations 6 [--descriptor mind]

A pair is bent in several ways and registered each time. The error at a place of the moving scan, in mm along its axes,
is compared between the deformations. What is alike is a preference of the descriptors between these two scans (a border
that lies elsewhere in the other contrast), or the two scans did not lie on each other before they were bent: more
steps, or a better start, can take nothing of it. Pairs of a scan with itself (``head_t1``, ``torso_ct``,
``lung_contrast``, ``multiphase_ct``) can only have the first, and their made-up contrast is another each time.

Root mean squares over the body; the share of chance in a mean of so few is taken off. The last two columns are the mean
end-point error, as it is and less the mean error of the *other* deformations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from catalogue import KNOWN, build
from dsir.geometry.sampling import sample
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.transforms.field import moved_index
from dsir.transforms.inversion import invert_field
from pairs_asked import asked, parser_of


@dataclass(frozen=True)
class Alike:
    """Of one pair, mm: root mean squares of the error, of what is the same and of the rest; end-point errors."""

    whole: float
    same: float
    rest: float
    mean: float
    without: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit code 0 also where there are no scans."""
    parser = parser_of(__doc__, list(KNOWN), ["brain_t1_t2", "head_t1"])
    parser.add_argument("--deformations", type=int, default=6, metavar="N")
    parser.add_argument("--descriptor", default="dsir")
    options = asked(parser, arguments)
    if options is None:
        return 0
    print("| pair | error, rms | the same | the rest | mean | less that of the others |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for name in options.cases:
        seeds = range(options.seed, options.seed + options.deformations)
        with torch.no_grad():
            errors, body = laid_back(name, options.data, seeds, options.descriptor)
        a = alike(errors, body)
        figures = (a.whole, a.same, a.rest, a.mean, a.without)
        print(f"| {name} |", " | ".join(f"{figure:.2f}" for figure in figures), "|", flush=True)
    return 0


def laid_back(name: str, data: Path, seeds: Sequence[int], descriptor: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 3, I, J, K) mm, each deformation's error on the moving scan; (I, J, K) bool, where all show the body."""
    errors, bodies = [], []
    settings = preset("default", descriptor=descriptor, device="cpu", threads=1)
    for seed in seeds:
        case = build(name, data, seed=seed)
        assert case.truth is not None
        lattice, moving = case.fixed.lattice, case.moving.lattice
        found = register(case.fixed, case.moving, settings).displacement(lattice)
        voxels = moved_index(found, moving) - moved_index(case.truth, moving)
        back = moved_index(invert_field(case.truth, moving), lattice)
        spacing = torch.as_tensor(moving.spacing, dtype=torch.float32)
        errors.append(sample(voxels * spacing[:, None, None, None], back))
        bodies.append(sample(case.body.float()[None], back)[0] > 0.5)
    return torch.stack(errors), torch.stack(bodies).all(0)


def alike(errors: torch.Tensor, body: torch.Tensor) -> Alike:
    """What the errors (N, 3, I, J, K) have in common within the body (I, J, K)."""
    inside = errors[:, :, body]
    count, mean = len(inside), inside.mean(0)
    whole = float(inside.square().sum(1).mean())
    chance = float(inside.var(0).sum(0).mean()) / count
    same = max(float(mean.square().sum(0).mean()) - chance, 0.0)
    others = (inside.sum(0) - inside) / (count - 1)
    return Alike(
        whole**0.5,
        same**0.5,
        max(whole - same, 0.0) ** 0.5,
        float(inside.norm(dim=1).mean()),
        float((inside - others).norm(dim=1).mean()),
    )


if __name__ == "__main__":
    raise SystemExit(main())

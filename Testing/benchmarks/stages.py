"""What each stage of a registration costs, beside the least it could: bytes to move, operations to do.

    python Testing/benchmarks/stages.py --out runs

One thread, a cube of random intensities, MIND-SSC. A floor is the larger of two times: every input read and every
output written once at the bandwidth of a large copy, and the stage's multiplications and additions at the rate of a
fused multiply-add on what lies in the cache; both are measured first. No code reaches its floor; the column ``times``
says where a stage is far from it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.features.mind import Mind
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur, index_grid, sample
from dsir.registration.discrete import cost_volume, coupled_convex, weighs, window
from dsir.registration.normal import normal_equations
from dsir.registration.regularity import composed, smallest_determinant
from dsir.registration.solver import Stiffness, step
from dsir.registration.working_grid import describe, widened
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import fold_report

CHANNELS = 12
CONTROL_SPACING, RADIUS = 6.0, 3
"""mm between control points of the cost volume, and displacements along each half axis."""


@dataclass(frozen=True)
class Stage:
    """A stage and its floor.

    Attributes:
        run: does it.
        bytes, operations: for each voxel of the working lattice, counted as the module's docstring says.
        voxels: how many it works on.
    """

    name: str
    run: Callable[[], object]
    bytes: float
    operations: float
    voxels: int


def stages(size: int) -> list[Stage]:
    """The stages on a cube of ``size`` voxels of 2 mm."""
    draw = torch.Generator().manual_seed(0)
    lattice = Lattice((size,) * 3, np.diag([2.0, 2.0, 2.0, 1.0]))
    noise = torch.randn(1, *lattice.shape, generator=draw)
    image = Image(gaussian_blur(noise, 2.0)[0] + 1.0, lattice)
    body = torch.ones(lattice.shape, dtype=torch.bool)
    fixed = describe(Mind(), image, body, lattice)
    moving = describe(Mind(), image, body, lattice, Transform())
    u = gaussian_blur(torch.randn(3, *lattice.shape, generator=draw), 6.0)
    u = 1.5 * u / u.abs().max()
    index = index_grid(lattice.shape) + u
    equations = normal_equations(fixed.features, moving.features, moving.reach, fixed.mask, index)
    grid = lattice.with_spacing(CONTROL_SPACING)
    here, there = (d.onto(widened(grid, RADIUS * CONTROL_SPACING)) for d in (fixed, moving))
    cost, offsets = cost_volume(here, there, RADIUS), window(RADIUS)
    field = DisplacementField.from_index(u, lattice)
    voxels, entries, c = size**3, cost.numel(), CHANNELS
    return [
        Stage("body mask", lambda: body_mask(image), 4 + 1, 30, voxels),
        Stage("describe (MIND-SSC)", lambda: describe(Mind(), image, body, lattice), 5 + 2 * c, 48 + 16 * c, voxels),
        Stage("read moving between voxels", lambda: sample(moving.features, index), 12 + 4 * c, 30 + 16 * c, voxels),
        Stage(
            "normal equations",
            lambda: normal_equations(fixed.features, moving.features, moving.reach, fixed.mask, index),
            12 + 4 * c + 8 + 36,
            30 + 41 * c,
            voxels,
        ),
        Stage("solve for the step", lambda: step(equations, u, fixed.mask, Stiffness()), 48 + 12 + 105, 150, voxels),
        Stage("compose", lambda: composed(u, u), 36, 80, voxels),
        Stage("fold test of every cell", lambda: smallest_determinant(u), 12 + 4, 60, voxels),
        Stage("fold report (nine stencils)", lambda: fold_report(field), 12 + 8, 9 * 20, voxels),
        Stage("cost volume, an entry", lambda: cost_volume(here, there, RADIUS), 4, 2 * (c + 2), entries),
        Stage(
            "choose displacements, an entry",
            lambda: coupled_convex(cost, offsets, weighs(here, RADIUS)),
            7 * 4,
            6 * 9 + 7,
            entries,
        ),
    ]


def bandwidth() -> float:
    """Bytes a second that a large copy reads and writes."""
    source = torch.zeros(32_000_000)
    target = torch.empty_like(source)
    return 2 * 4 * source.numel() / seconds(lambda: target.copy_(source))


def rate() -> float:
    """Multiplications and additions a second of a fused multiply-add in the cache."""
    a, b, total = (torch.ones(16_000) for _ in range(3))

    def many() -> None:
        for _ in range(200):
            total.addcmul_(a, b)

    return 2 * 200 * a.numel() / seconds(many)


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """CPU seconds of the quickest of some runs after a first one."""
    run()
    took = []
    for _ in range(repeats):
        begun = time.process_time()
        run()
        took.append(time.process_time() - begun)
    return max(min(took), 1e-9)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=100, help="voxels along an edge of the cube")
    parser.add_argument("--out", type=Path, help="folder for stages.md and stages.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    bytes_a_second, operations_a_second = bandwidth(), rate()
    rows = []
    with torch.no_grad():
        for stage in stages(options.size):
            took = seconds(stage.run) / stage.voxels
            moved, done = stage.bytes / bytes_a_second, stage.operations / operations_a_second
            rows.append((stage.name, stage.bytes, stage.operations, 1e9 * max(moved, done), 1e9 * took))
    heads = ("stage", "bytes", "operations", "floor ns", "measured ns", "times")
    table = Table(*heads, title=f"{bytes_a_second / 1e9:.1f} GB/s, {operations_a_second / 1e9:.1f} G operations/s")
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for name, moved, done, floor, took in rows:
        cells = (name, f"{moved:.0f}", f"{done:.0f}", f"{floor:.1f}", f"{took:.1f}", f"{took / floor:.1f}")
        table.add_row(*cells)
        lines.append("| " + " | ".join(cells) + " |")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "stages.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        facts = {"bytes_a_second": bytes_a_second, "operations_a_second": operations_a_second, "rows": rows}
        (options.out / "stages.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

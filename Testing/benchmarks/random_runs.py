"""Does any field fold? Many registrations of small random pairs, some of them hopeless.

    python Testing/benchmarks/random_runs.py --runs 1000

A pair is a body of random structures, bent, turned and shifted at random, in another contrast and with noise; every
fourth has a partner that has nothing to do with it. Grids are random: voxel sizes, flips, turns. Stiffness is
random too, down to a hundredth of the default. Folds are counted on the fixed grid by central differences and all eight
one-sided stencils (:func:`dsir.transforms.jacobian.fold_report`). Exits 1 where there is one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur, index_grid, sample
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.transforms.jacobian import fold_report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first pair")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no further run after these")
    options = parser.parse_args(arguments)
    began, folded, smallest, done = time.perf_counter(), [], float("inf"), 0
    for seed in range(options.first, options.first + options.runs):
        if time.perf_counter() - began > 60 * options.minutes:
            break
        folds, determinant = run(seed)
        done, smallest = done + 1, min(smallest, determinant)
        if folds:
            folded.append(seed)
            print(f"seed {seed}: {folds} folds", flush=True)
        if done % 10 == 0:
            print(f"{done} runs, {len(folded)} with folds, smallest determinant {smallest:.3f}", flush=True)
    print(f"{done} runs, {len(folded)} with folds, smallest determinant {smallest:.3f}")
    return int(bool(folded))


def run(seed: int) -> tuple[int, float]:
    """Folds on the fixed grid, and the smallest determinant there."""
    draw = np.random.default_rng(seed)
    fixed, moving = pair(draw)
    settings = preset("fast" if draw.random() < 0.5 else "default", descriptor="mind", device="cpu", threads=1)
    settings = settings.stiffer(float(10 ** draw.uniform(-2, 0.5)))
    result = register(fixed, moving, replace(settings, deformable=True))
    found = fold_report(result.displacement(fixed.lattice))
    return found.folds + result.report["folds"], min(found.smallest, result.report["smallest_determinant"])


def pair(draw: np.random.Generator) -> tuple[Image, Image]:
    """Fixed and moving, each 28 to 44 voxels of 2 to 4 mm a side."""
    torch.manual_seed(int(draw.integers(2**31)))
    shape = tuple(int(n) for n in draw.integers(28, 45, 3))
    anatomy = body(shape, draw)
    smooth = gaussian_blur(torch.randn(3, *shape), float(draw.uniform(4, 8)))
    bent = sample(anatomy[None], index_grid(shape) + smooth / smooth.abs().max() * draw.uniform(0, 5))[0]
    other = anatomy if draw.random() < 0.75 else body(shape, draw)
    contrast = (1 - other) ** 2 * (other > 0) if draw.random() < 0.5 else other.sqrt()
    noise = draw.uniform(0, 0.1)
    sides = [values + noise * torch.randn(shape) for values in (bent, contrast)]
    return Image(1000 * sides[0], grid(shape, draw)), Image(1000 * sides[1], grid(shape, draw))


def body(shape: tuple[int, int, int], draw: np.random.Generator) -> torch.Tensor:
    """0 outside an ellipsoid, 0.1 to 1 within it."""
    middle = torch.tensor([(n - 1) / 2 for n in shape]).view(3, 1, 1, 1)
    within = (
        ((index_grid(shape) - middle) / (0.42 * torch.tensor(shape).view(3, 1, 1, 1))).square().sum(0) < 1
    ).float()
    structure = gaussian_blur(torch.randn(1, *shape), float(draw.uniform(1, 3)))[0]
    return within * (0.55 + 0.45 * torch.tanh(2 * structure / structure.std()))


def grid(shape: tuple[int, int, int], draw: np.random.Generator) -> Lattice:
    """A lattice about the origin, some axes reversed, up to 15 degrees turned."""
    turn = np.linalg.qr(np.eye(3) + draw.uniform(-0.15, 0.15, (3, 3)))[0]
    turn = turn * np.sign(np.diag(turn)) * draw.choice([1, -1], 3)
    affine = np.eye(4)
    affine[:3, :3] = turn * draw.uniform(2, 4, 3)
    affine[:3, 3] = draw.uniform(-10, 10, 3) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Lattice(shape, affine)


if __name__ == "__main__":
    sys.exit(main())

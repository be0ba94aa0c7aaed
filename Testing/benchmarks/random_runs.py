"""Does any field fold? Very many registrations of small random pairs, some of them hopeless.

    python Testing/benchmarks/random_runs.py --runs 1000

A pair is a body of random structures, bent, turned and shifted at random, in another contrast and with noise. Drawn by
chance for each are also

- grids: 10 to 22 voxels of 4 to 8 mm a side, unlike along each axis, flipped and turned; every fifth scan is of 1 to 5
  thick slices;
- a partner that has nothing to do with the body (one in four);
- masks that cut through it (one in three), pairs of landmarks that are wrong by centimetres (one in eight);
- the preset, by MIND-SSC, on 3 to 6 mm, and the stiffness, from a hundredth of the default to thrice;
- the linear stage's search (one in twelve; it takes longer than all else).

Folds are counted on the fixed grid and on the field's own, by central differences and all eight one-sided stencils
(:func:`dsir.transforms.jacobian.fold_report`). Points of the moving scan are led back by the inverse as a field and by
the one that is solved for each point, and forth again: how far from where they began they end is the inverse's error.
The verdict, which takes longer than the rest and changes no field, is left out. Exits 1 where there is a fold.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.errors import DsirError
from dsir.files.landmarks import LandmarkPairs
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice, as_shape
from dsir.geometry.sampling import gaussian_blur, index_grid, sample
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.jacobian import fold_report
from dsir.warp.points import moving_to_fixed

Mask = torch.Tensor | None


@dataclass(frozen=True)
class Run:
    """What one registration came to.

    Attributes:
        folds: voxels of the fixed grid and of the field's own.
        smallest: determinant, of both.
        mean, largest: mm, error of the inverse as a field.
        solved: mm, largest error of the inverse that is solved for each point.
    """

    folds: int
    smallest: float
    mean: float
    largest: float
    solved: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first pair")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no further run after these")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    began, done, refused = time.perf_counter(), [], 0
    for seed in range(options.first, options.first + options.runs):
        if time.perf_counter() - began > 60 * options.minutes:
            break
        try:
            one = run(seed)
        except DsirError as error:  # the two share no space, or a mask is empty: said, and nothing is written
            refused += 1
            print(f"seed {seed} was refused: {error}", flush=True)
            continue
        done.append(one)
        if one.folds or one.smallest <= 0 or one.solved > 0.01:
            print(f"seed {seed}: {one}", flush=True)
        if len(done) % 50 == 0:
            print(summary(done), flush=True)
    print(summary(done), f"{refused} refused, {time.process_time():.0f} s")
    return int(any(one.folds for one in done))


def summary(done: Sequence[Run]) -> str:
    """One line."""
    if not done:
        return "0 runs"
    largest = np.array([one.largest for one in done])
    return (
        f"{len(done)} runs, {sum(one.folds > 0 for one in done)} with folds, "
        f"smallest determinant {min(one.smallest for one in done):.3f}, "
        f"inverse solved at points {max(one.solved for one in done):.5f} mm at most, "
        f"as a field {np.mean([one.mean for one in done]):.3f} mm in the mean, largest of a run "
        f"{np.median(largest):.2f} (median), {np.quantile(largest, 0.95):.2f} (95 %), {largest.max():.2f} mm (all);"
    )


def run(seed: int) -> Run:
    """Draw a pair and settings, register, count."""
    draw = np.random.default_rng(seed)
    fixed, moving = pair(draw)
    masks = (blob(fixed, draw), blob(moving, draw)) if draw.random() < 0.33 else (None, None)
    landmarks = wrong_landmarks(fixed, moving, draw) if draw.random() < 0.125 else None
    with patch("dsir.registration.register.judged_by_images", return_value=[]):
        result = register(fixed, moving, settings(draw), fixed_mask=masks[0], moving_mask=masks[1], landmarks=landmarks)
    found = fold_report(result.displacement(fixed.lattice))
    mean, largest, solved = inverse_error(result.transform, moving.lattice)
    return Run(
        found.folds + result.report["folds"],
        min(found.smallest, result.report["smallest_determinant"]),
        mean,
        largest,
        solved,
    )


def settings(draw: np.random.Generator) -> RegistrationSettings:
    """Deformable whatever the scans say, so that there is a field to look at."""
    chosen = preset("fast" if draw.random() < 0.5 else "default", descriptor="mind", device="cpu", threads=1)
    chosen = replace(chosen.stiffer(float(10 ** draw.uniform(-2, 0.5))), spacing=float(draw.uniform(3, 6)))
    searched = draw.random() < 1 / 12
    linear = chosen.linear if searched else replace(chosen.linear, start="identity", model="none")
    return replace(chosen, linear=linear, deformable=True)


def inverse_error(transform: Transform, lattice: Lattice) -> tuple[float, float, float]:
    """Mean and largest error of the inverse as a field, and the largest of the one solved for each point; mm."""
    points = lattice.to_world(index_grid(lattice.shape).flatten(1).T.numpy().astype(float)[::7])
    back = transform.inverse(lattice).transform_points(points)
    error = np.linalg.norm(transform.transform_points(back) - points, axis=1)
    return float(error.mean()), float(error.max()), float(moving_to_fixed(transform, points)[1].max())


def pair(draw: np.random.Generator) -> tuple[Image, Image]:
    """Fixed and moving, of the same number of voxels; those of the moving one may be larger by a tenth."""
    torch.manual_seed(int(draw.integers(2**31)))
    counts, spacing = draw.integers(10, 23, 3), draw.uniform(4, 8, 3)
    if draw.random() < 0.2:
        axis = int(draw.integers(3))
        counts[axis], spacing[axis] = draw.integers(1, 6), draw.uniform(5, 10)
    shape = as_shape(counts)
    anatomy = body(shape, draw)
    smooth = gaussian_blur(torch.randn(3, *shape), float(draw.uniform(2, 5)))
    smooth = smooth / smooth.abs().max().clamp(min=1e-6) * draw.uniform(0, 4)
    bent = sample(anatomy[None], index_grid(shape) + smooth, padding="border")[0]
    other = anatomy if draw.random() < 0.75 else body(shape, draw)
    contrast = (1 - other) ** 2 * (other > 0) if draw.random() < 0.5 else other.sqrt()
    noise = draw.uniform(0, 0.1)
    sides = [1000 * (values + noise * torch.randn(shape)) for values in (bent, contrast)]
    moved = spacing * draw.uniform(0.95, 1.05, 3)
    return Image(sides[0], grid(shape, spacing, draw)), Image(sides[1], grid(shape, moved, draw))


def body(shape: tuple[int, int, int], draw: np.random.Generator) -> torch.Tensor:
    """0 outside an ellipsoid, 0.1 to 1 within it."""
    middle = torch.tensor([(n - 1) / 2 for n in shape]).view(3, 1, 1, 1)
    radii = torch.tensor([max(0.42 * n, 1.0) for n in shape]).view(3, 1, 1, 1)
    within = (((index_grid(shape) - middle) / radii).square().sum(0) < 1).float()
    structure = gaussian_blur(torch.randn(1, *shape), float(draw.uniform(0.7, 2)))[0]
    return within * (0.55 + 0.45 * torch.tanh(2 * structure / structure.std()))


def blob(image: Image, draw: np.random.Generator) -> Mask:
    """A random region about the middle, down to a tenth of the scan; half the time none."""
    if draw.random() < 0.5:
        return None
    shape = image.lattice.shape
    middle = torch.tensor([(n - 1) / 2 for n in shape]).view(3, 1, 1, 1)
    inward = -((index_grid(shape) - middle) / torch.tensor(shape).view(3, 1, 1, 1)).square().sum(0)
    rough = inward + 0.1 * gaussian_blur(torch.randn(1, *shape), 2.0)[0]
    return rough >= rough.quantile(float(draw.uniform(0.3, 0.9)))


def wrong_landmarks(fixed: Image, moving: Image, draw: np.random.Generator) -> LandmarkPairs:
    """Two to six pairs, each wrong by up to 25 mm along each axis."""
    count = int(draw.integers(2, 7))
    at = fixed.lattice.centre + draw.uniform(-0.3, 0.3, (count, 3)) @ (
        fixed.lattice.affine[:3, :3].T * fixed.data.shape
    )
    to = at - fixed.lattice.centre + moving.lattice.centre + draw.uniform(-25, 25, (count, 3))
    return LandmarkPairs(at, to, np.full(count, 2.0), draw.uniform(0.1, 1, count))


def grid(shape: tuple[int, int, int], spacing: np.ndarray, draw: np.random.Generator) -> Lattice:
    """A lattice about the origin, some axes reversed, up to 15 degrees turned."""
    turn = np.linalg.qr(np.eye(3) + draw.uniform(-0.15, 0.15, (3, 3)))[0]
    turn = turn * np.sign(np.diag(turn)) * draw.choice([1, -1], 3)
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = draw.uniform(-10, 10, 3) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Lattice(shape, affine)


if __name__ == "__main__":
    sys.exit(main())

"""How often is a click right? Points of one scan, looked for in the whole of another that nobody was trained on.

    python Testing/benchmarks/clicks.py [--data ../shared/data] [--descriptors dsir mind] [--warp 2] [--turn 0]

The pairs, displacements and points of ``retrieval.py``, but as the viewer asks: the whole image is searched, its body
only, by the voxel's own vector and with what lies around it (:mod:`dsir.similarity.surroundings`). ``--warp`` is the
bending in mm (standard deviation of control points 32 mm apart), ``--turn`` turns the first image about its third axis
by so many degrees, which no alignment undoes. Seconds are of one query.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.errors import DsirError
from dsir.features.descriptor import Descriptor, load_descriptor
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import index_grid, sample
from dsir.similarity.query import query
from dsir.similarity.store import FeatureStore, pack
from dsir.training.random_numbers import step_generator
from point_retrieval import RetrievalSettings, asked, displace
from retrieval import PAIRS, ROOT, volumes

HEADS = ("pair", "descriptor", "asked by", "within 4 mm", "median mm", "mean mm", "points", "ms a query")


def turned(volume: torch.Tensor, degrees: float) -> tuple[torch.Tensor, np.ndarray]:
    """The volume turned about its third axis, and (3, 3): offsets from the middle in it to offsets in the volume."""
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    middle = (torch.tensor(volume.shape).float() - 1)[:, None] / 2
    grid = index_grid(tuple(volume.shape))
    at = (torch.from_numpy(turn).float() @ (grid.reshape(3, -1) - middle) + middle).reshape(grid.shape)
    low = volume.min()
    return sample(volume[None] - low, at)[0] + low, turn


def stored(descriptor: Descriptor, volume: torch.Tensor, body: torch.Tensor, spacing: float) -> FeatureStore:
    """What ``dsir describe`` makes of a volume."""
    lattice = Lattice(tuple(volume.shape), np.diag([spacing] * 3 + [1.0]))
    return FeatureStore(pack(descriptor(volume).numpy(), body.numpy()), lattice, descriptor.identity, "")


def distances(
    descriptor: Descriptor,
    pair: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    spacing: float,
    settings: RetrievalSettings,
    turn: float,
) -> Iterator[tuple[bool, float, float]]:
    """Yield for each point: whether it was asked for alone, mm of the best match from the truth, seconds."""
    fixed, moving, body = pair
    seen, matrix = turned(fixed, turn)
    here = stored(descriptor, seen, turned(body.float(), turn)[0] > 0.5, spacing)
    middle = (np.array(fixed.shape) - 1) / 2
    for repeat in range(settings.repeats):
        generator = step_generator(settings.seed, repeat)
        displaced, warp, shift = displace(moving, spacing, settings, generator)
        moved = displace(body.float(), spacing, settings, step_generator(settings.seed, repeat))[0]  # the same draw
        there = stored(descriptor, displaced, moved > 0.5, spacing)
        points, places = asked(body, warp, shift, settings, generator)
        for point, place in zip(points.T.double().numpy(), places.T.double().numpy(), strict=True):
            for alone in (True, False):
                start = time.perf_counter()
                try:
                    found = query(here, spacing * (matrix.T @ (point - middle) + middle), there, alone=alone)
                except DsirError:  # turned out of the image, or flat there
                    continue
                seconds = time.perf_counter() - start
                yield alone, float(np.linalg.norm(found.best.point - spacing * place)), seconds


def main() -> int:
    """Print a row for each pair, descriptor and way to ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--descriptors", nargs="+", default=["dsir", "mind"])
    parser.add_argument("--spacing", type=float, default=2.0)
    parser.add_argument("--points", type=int, default=150, help="in each of two displacements")
    parser.add_argument("--warp", type=float, default=RetrievalSettings.warp, help="mm")
    parser.add_argument("--turn", type=float, default=0.0, help="degrees")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cases = options.data / "cases"
    if not cases.is_dir():
        print(f"No scans to measure on: {cases} does not exist.")
        return 0
    settings = RetrievalSettings(points=options.points, warp=options.warp, seed=options.seed)
    print("| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS), sep="\n", flush=True)
    for pair in PAIRS:
        scans = volumes(cases, pair, options.spacing)
        for name in options.descriptors:
            rows = list(distances(load_descriptor(name), scans, options.spacing, settings, options.turn))
            for alone in (True, False):
                apart, seconds = np.array([row[1:] for row in rows if row[0] == alone]).T
                cells = (f"{(apart <= settings.within).mean():.2f}", f"{np.median(apart):.1f}", f"{apart.mean():.1f}")
                by = "voxel" if alone else "with surroundings"
                last = f"{len(apart)} | {1e3 * np.median(seconds):.0f}"
                print(f"| {pair.name} | {name} | {by} | {' | '.join(cells)} | {last} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

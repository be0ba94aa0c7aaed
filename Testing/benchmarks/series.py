"""One fixed scan, many moving ones: each begun afresh, from its neighbour's result to refine it, or on top of it.

The embedded brain (2 mm, 20 mm of air) is bent further and further by one known field, as a breath does from phase to
phase. No lung: what is measured is the way of starting, not the anatomy.

    python Testing/benchmarks/series.py
"""

from __future__ import annotations

import argparse
import time

import torch
from dsir.evaluation.deformation import DeformationSettings, random_deformation
from dsir.evaluation.tolerances import Errors
from dsir.evaluation.virtual_phantoms import padded_brain
from dsir.geometry.image import Image
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.warp.images import warp_image


def main() -> None:
    """Print a line for each phase and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="lung_4dct")
    parser.add_argument("--amplitude", type=float, default=24.0, help="mm in the last phase")
    parser.add_argument("--phases", type=int, default=4)
    parser.add_argument("--noise", type=float, default=0.03, help="of the brain's brightness, another draw each phase")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    settings, brain = preset(given.preset), padded_brain()
    lattice = brain.scan.lattice
    whole = random_deformation(lattice, DeformationSettings(amplitude=given.amplitude, knots=70.0), mask=brain.body)
    bright = float(brain.scan.data[brain.body].mean())
    points = lattice.to_world(torch.nonzero(brain.body).numpy())
    print(f"{'phase':>6} {'way':>8} {'mean':>6} {'95 %':>6} {'largest':>8} {'verdict':>8} {'seconds':>8}")
    before: dict[str, Transform] = {}
    for phase in range(1, given.phases + 1):
        truth = DisplacementField(whole.vectors * (phase / given.phases), lattice)
        moved = warp_image(brain.scan, Transform((truth,)).inverse(lattice), lattice)
        grain = given.noise * bright * torch.randn(lattice.shape, generator=torch.Generator().manual_seed(phase))
        moving = Image(moved.data + grain, lattice)
        for way in ("afresh", "refine", "initial"):
            start = {way: before[way]} if way in before else {}
            began = time.perf_counter()
            result = register(brain.scan, moving, settings, **start)
            seconds = time.perf_counter() - began
            before.update({} if way == "afresh" else {way: result.transform})
            places = truth.transform_points(points)
            e = Errors.of(result.transform.transform_points(points), places, lattice.directions)
            level = result.report["verdict"]["level"]
            said = f"{e.mean:6.2f} {e.p95:6.2f} {e.largest:8.2f} {level:>8} {seconds:8.1f}"
            print(f"{phase:>6} {way:>8} {said}", flush=True)


if __name__ == "__main__":
    main()

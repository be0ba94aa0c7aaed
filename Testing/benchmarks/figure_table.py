"""Figure 1 in numbers: how many of many voxels does each descriptor find again, and how many rivals has the true place?

    python Testing/benchmarks/figure_table.py [--data ../shared/data] [--points 60]

Random voxels of the body are looked for in the whole other image: T1 in T2 of one brain, CT in T1 of the averaged head
(both lie on each other as they are), and an abdominal CT in itself in a random contrast (the MR of that pair is of
another person, where nobody knows the true place). Each is asked for by its own vector, and with its surroundings.
Rivals are hills elsewhere at least as high as the one at the true place; 50 stands for 50 and more.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "DSIRRegistration"))

from dsir.errors import DsirError  # noqa: E402
from dsir.features.descriptor import load_descriptor  # noqa: E402
from dsir.files.images import read_image  # noqa: E402
from dsir.geometry.body_mask import body_mask  # noqa: E402
from dsir.geometry.image import Image  # noqa: E402
from dsir.similarity.compare import Finding, finding  # noqa: E402
from dsir.similarity.describe import describe_image  # noqa: E402
from dsir.similarity.query import query  # noqa: E402
from dsir.similarity.random_contrast import random_contrast  # noqa: E402
from dsir.similarity.store import FeatureStore  # noqa: E402

SPACING = 2.0
RIGHT = 4.0
PAIRS = {
    "brain T1-T2": ("brain_t1_t2/fixed", "brain_t1_t2/moving"),
    "head CT-T1 averages": ("head_ct_mr_template/fixed", "head_ct_mr_template/moving"),
    "abdomen CT, random contrast": ("abdomen_ct_mr/fixed", None),
}


def pair(folder: Path, fixed: str, moving: str | None) -> tuple[Image, Image]:
    """Both on 2 mm voxels; the second in a random contrast where there is no partner."""
    image = read_image(folder / f"{fixed}.nii.gz")
    image = image.on(image.lattice.with_spacing(SPACING))
    if moving is None:
        clipped = Image(image.data.clamp(-200, 400), image.lattice)
        return image, random_contrast(clipped, body_mask(image), seed=0)
    return image, read_image(folder / f"{moving}.nii.gz").on(image.lattice, padding="zeros")


def findings(here: FeatureStore, there: FeatureStore, name: str, points: np.ndarray, *, alone: bool) -> list[Finding]:
    """One for each point that both images show."""
    found = []
    for point in points:
        try:
            found.append(finding(name, query(here, point, there, alone=alone), point))
        except DsirError:  # air, or beyond the other image
            continue
    return found


def main() -> int:
    """Print a row for each pair and descriptor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--descriptors", nargs="+", default=["cnn", "mind", "dsir"])
    parser.add_argument("--points", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    heads = ("pair", "descriptor", "asked by", "within 4 mm", "median distance, mm", "median rivals", "no rival")
    print("| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), sep="\n", flush=True)
    for title, (fixed, moving) in PAIRS.items():
        if not (options.data / "cases" / f"{fixed}.nii.gz").is_file():
            print(f"{title} is left out: no scans in {options.data}.")
            continue
        image, other = pair(options.data / "cases", fixed, moving)
        inside = body_mask(image).nonzero().numpy()
        chosen = inside[np.random.default_rng(0).permutation(len(inside))[: options.points]]
        points = image.lattice.to_world(chosen)
        stores = {
            name: [describe_image(scan, load_descriptor(name), spacing=SPACING) for scan in (image, other)]
            for name in options.descriptors
        }
        for alone, name in product((True, False), options.descriptors):
            found = findings(*stores[name], name, points, alone=alone)
            distances = np.array([one.distance for one in found])
            rivals = np.array([one.rivals for one in found])
            cells = (f"{(distances <= RIGHT).mean():.2f}", f"{np.median(distances):.0f}", f"{np.median(rivals):.0f}")
            by = "voxel" if alone else "with surroundings"
            print(f"| {title} | {name} | {by} | {' | '.join(cells)} | {(rivals == 0).mean():.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Scans of small bodies: the error in voxels is that of full size.

    python Testing/benchmarks/small.py --data ../shared [--preset default]

The made-up animals of ``faults/small_animals`` (voxels of 0.3 and 0.6 mm, a known turn), and the brain of
``cases/brain_t1_t2``, bent by a known field, at 1, 0.3 and 0.1 of its size.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import build
from dsir.files.images import read_image
from dsir.geometry.image import Image
from dsir.registration.magnification import enlarged, enlarged_transform
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.registration.starts import angle_between
from dsir.transforms.composite import Transform

ROOT = Path(__file__).resolve().parents[2]
LPS = np.diag([-1.0, -1.0, 1.0])


def errors(fixed: Image, body: torch.Tensor, truth: Transform, found: Transform) -> tuple[float, float]:
    """Mean error in the body before and after, in voxels of the fixed scan."""
    index = torch.nonzero(body).numpy()
    points = fixed.lattice.to_world(index[np.random.default_rng(0).permutation(len(index))[:10_000]])
    right = truth.transform_points(points)
    voxel = float(fixed.lattice.spacing.mean())
    return tuple(
        float(np.linalg.norm(mapping.transform_points(points) - right, axis=1).mean()) / voxel
        for mapping in (Transform(), found)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared", metavar="FOLDER")
    parser.add_argument("--preset", default="default")
    options = parser.parse_args(arguments)
    settings = preset(options.preset, descriptor="mind", threads=1, device="cpu")
    for size in ("0.1", "0.2"):
        folder = options.data / "faults" / "small_animals"
        if not folder.is_dir():
            print(f"Left out: {folder} is not there.")
            break
        fixed, moving = (read_image(folder / f"{side}_s{size}.nii.gz") for side in ("fixed", "moving"))
        turn = LPS @ np.loadtxt(folder / "truth.txt") @ LPS
        start, found = angle_between(np.eye(3), turn), register(fixed, moving, settings)
        linear = found.report["linear"]
        angle = angle_between(np.array(linear["matrix"]), turn)
        print(f"animal {size}: {start:.2f} -> {angle:.2f} degrees from the true turn, {linear['model']}")
    if not (options.data / "data" / "cases").is_dir():
        return 0
    case = build("brain_t1_t2", options.data / "data" / "cases")
    for size in (1.0, 0.3, 0.1):
        fixed, moving = enlarged(case.fixed, size), enlarged(case.moving, size)
        truth = enlarged_transform(Transform((case.truth,)), size)
        found = register(fixed, moving, settings)
        before, after = errors(fixed, case.body, truth, found.transform)
        print(f"brain x{size}: {before:.2f} -> {after:.2f} voxels, folds {found.report['folds']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

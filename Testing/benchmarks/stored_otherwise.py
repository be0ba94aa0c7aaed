"""The same two scans, stored along other axes, by another number of threads: is the answer the same?

    python Testing/benchmarks/stored_otherwise.py --presets fast default

The demo's brain (a known answer, nothing but this project's own environment) is registered as it is, then with the
axes of the fixed or the moving array reversed or exchanged, which changes nothing of what lies where, then by two
threads and a second time. Printed is how far the mappings of points in the body lie apart, mm. Exits 1 where that is
more than a tenth of a millimetre, or a hundredth where only threads differ.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from dsir.evaluation.demo import demo_case
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice, as_shape
from dsir.registration.presets import preset
from dsir.registration.register import register

STORED = {
    "fixed reversed along the first axis": (((0, 1, 2), (0,)), ((0, 1, 2), ())),
    "moving reversed along the second and third axis": (((0, 1, 2), ()), ((0, 1, 2), (1, 2))),
    "fixed axes exchanged": (((2, 0, 1), ()), ((0, 1, 2), ())),
    "both exchanged and reversed, each otherwise": (((1, 0, 2), (2,)), ((2, 1, 0), (0, 1))),
}
"""Order of the axes and which of them are reversed, for fixed and moving."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Register, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["fast", "default"], metavar="PRESET")
    options = parser.parse_args(arguments)
    wrong = 0
    for name in options.presets:
        for what, apart, allowed in compared(name):
            bad = float(apart.max()) > allowed
            wrong += bad
            print(
                f"{name:8s} {what:48s} mean {apart.mean():.4f} largest {apart.max():.4f} mm",
                "TOO FAR" * bad,
                flush=True,
            )
    return min(wrong, 1)


def compared(name: str) -> Iterator[tuple[str, np.ndarray, float]]:
    """What was changed, how far points lie apart for it (N,) mm, and how far they may."""
    case = demo_case(seed=0)
    inside = torch.nonzero(body_mask(case.fixed))[::101].numpy()
    points = case.fixed.lattice.to_world(inside.astype(float))

    def mapped(fixed: Image, moving: Image, threads: int = 1) -> np.ndarray:
        return register(fixed, moving, preset(name, device="cpu", threads=threads)).transform.transform_points(points)

    asked = mapped(case.fixed, case.moving)
    for what, threads in (("a second time", 1), ("two threads", 2)):
        yield what, _apart(mapped(case.fixed, case.moving, threads), asked), 0.01
    for what, (fixed, moving) in STORED.items():
        yield what, _apart(mapped(stored(case.fixed, *fixed), stored(case.moving, *moving)), asked), 0.1


def stored(image: Image, order: tuple[int, ...], reverse: tuple[int, ...]) -> Image:
    """The same scan with its array's axes in another order, some of them backwards; every voxel stays where it is."""
    data, affine = image.data.permute(order), image.lattice.affine.copy()
    affine[:, :3] = affine[:, list(order)]
    for axis in reverse:
        affine[:, 3] += affine[:, axis] * (data.shape[axis] - 1)
        affine[:, axis] *= -1
    return Image(data.flip(reverse).contiguous(), Lattice(as_shape(data.shape), affine))


def _apart(found: np.ndarray, asked: np.ndarray) -> np.ndarray:
    return np.linalg.norm(found - asked, axis=1)


if __name__ == "__main__":
    sys.exit(main())

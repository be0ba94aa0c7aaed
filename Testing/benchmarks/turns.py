"""Scans that lie the wrong way round: does the linear stage find them, and in how many seconds?

    python Testing/benchmarks/turns.py --data ../shared/data/cases [--count 4]

``brain_t1_t2``'s T2 (one person's head) and ``lung_ct``'s follow-up are laid down along other axes and then turned
by up to 20 degrees more, as a header that is wrong does; ``porcine_ct_t2`` is as its scanners wrote it. Printed are the
degrees to the axes, the mean distance in the body from where each point belongs, before and after, the start that was
taken, and processor seconds. The answer for the pork is a rigid registration by mutual information; it also bent.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from catalogue import MISALIGNED
from dsir.features.mind import Mind
from dsir.files.images import read_image
from dsir.files.landmarks import read_landmarks
from dsir.files.transforms import read_transform
from dsir.geometry.body_mask import body_mask
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.align import align
from dsir.registration.linear import LinearSettings
from dsir.registration.starts import angle_between, axis_turns
from dsir.transforms.composite import linear_matrix
from dsir.transforms.linear import Linear
from dsir.transforms.rigid_fit import rigid_fit

ROOT = Path(__file__).resolve().parents[2]


def laid(image: Image, matrix: np.ndarray) -> Image:
    """The same voxels where ``matrix`` (4, 4) brings them; its axes stay right-angled."""
    return Image(image.data, Lattice(image.lattice.shape, matrix @ image.lattice.affine))


def about_middle(turn: np.ndarray, image: Image) -> np.ndarray:
    """(4, 4) a turn (3, 3) about the image's middle."""
    matrix, middle = np.eye(4), image.lattice.centre
    matrix[:3, :3], matrix[:3, 3] = turn, middle - turn @ middle
    return matrix


def line(name: str, fixed: Image, moving: Image, truth: np.ndarray, degrees: float) -> str:
    """Register and tell."""
    body = body_mask(fixed)
    index = torch.nonzero(body).numpy()
    points = fixed.lattice.to_world(index[np.random.default_rng(0).permutation(len(index))[:5000]])
    right = Linear(truth).transform_points(points)
    begun = time.process_time()
    with torch.no_grad():
        found = align(fixed, moving, body, body_mask(moving), Mind(), LinearSettings())
    took = time.process_time() - begun
    ends = [Linear(matrix).transform_points(points) for matrix in (np.eye(4), found.matrix)]
    before, after = (np.linalg.norm(end - right, axis=1).mean() for end in ends)
    how = f"{found.start:10s} {found.model:11s} {took:.1f} s"
    return f"{name:14s} {degrees:5.0f} degrees {before:7.1f} -> {after:6.1f} mm  {how}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "cases", metavar="FOLDER")
    parser.add_argument("--count", type=int, default=4, help="turns of each scan")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if not options.data.is_dir():
        print(f"Nothing to measure: {options.data} is not there.")
        return 0
    draw = np.random.default_rng(0)
    for name in ("brain_t1_t2", "lung_ct"):
        fixed, moving = (read_image(options.data / name / f"{side}.nii.gz") for side in ("fixed", "moving"))
        truth = MISALIGNED
        if name == "lung_ct":
            pairs = read_landmarks(options.data / name / "landmarks.csv")
            truth = rigid_fit(pairs.fixed, pairs.moving).matrix
        turns = axis_turns()
        for number in draw.permutation(len(turns) - 1)[: options.count] + 1:
            more = Rotation.from_rotvec(np.deg2rad(draw.uniform(-20, 20)) * np.eye(3)[draw.integers(3)]).as_matrix()
            turn = about_middle(more @ turns[number], moving)
            print(line(name, fixed, laid(moving, turn), turn @ truth, angle_between(np.eye(4), turn)), flush=True)
    folder = options.data / "porcine_ct_t2"
    fixed, moving = (read_image(folder / f"{side}.nii.gz") for side in ("fixed", "moving"))
    truth = linear_matrix(read_transform(folder / "moving_to_fixed_rigid.tfm").inverse(moving.lattice))
    print(line("porcine_ct_t2", fixed, moving, truth, angle_between(np.eye(4), truth)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

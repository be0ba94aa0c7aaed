"""How far the two scans of ``brain_t1_t2`` lie from each other: rigid registration by mutual information, by SimpleITK.

    .venv-peers/bin/python Testing/benchmarks/brain_offset.py [--data ../shared/data/cases]

The person's T1 and T2 share a grid and are said to be aligned. Mutual information, which takes no part in the
comparisons, moves one by more than a millimetre, and does so whatever its bins and samples. The mean of the runs is
``MISALIGNED`` of ``catalogue.py``, which undoes it before the pair is bent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

BINS, SEEDS = (32, 48, 64), (1, 2)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def main() -> int:
    """Print every run's shift and angles, and their mean as a matrix, T1 points to T2 points, RAS mm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cases"
    parser.add_argument("--data", type=Path, default=default, metavar="FOLDER")
    options = parser.parse_args()
    folder = options.data / "brain_t1_t2"
    if not folder.is_dir():
        print(f"Nothing to measure: {folder} is not there.")
        return 0
    t1, t2 = (sitk.ReadImage(str(folder / f"{side}.nii.gz"), sitk.sitkFloat32) for side in ("fixed", "moving"))
    brain = sitk.BinaryErode(sitk.And(t1 > 1, t2 > 1), [3] * 3)
    parameters = np.array([rigid(t1, t2, brain, bins, seed) for bins in BINS for seed in SEEDS])
    for row in parameters:
        print("degrees", np.round(np.rad2deg(row[:3]), 2), "shift (LPS mm)", np.round(row[3:], 2))
    mean = start(t1, t2)
    mean.SetParameters([float(value) for value in parameters.mean(0)])
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(mean.GetMatrix(), (3, 3))
    matrix[:3, 3] = mean.TransformPoint((0.0, 0.0, 0.0))
    print(np.array2string(LPS @ matrix @ LPS, precision=5, suppress_small=True, separator=", "))
    return 0


def start(t1: sitk.Image, t2: sitk.Image) -> sitk.Euler3DTransform:
    """The identity, turning about the middle of the image."""
    geometry = sitk.CenteredTransformInitializerFilter.GEOMETRY
    return sitk.Euler3DTransform(sitk.CenteredTransformInitializer(t1, t2, sitk.Euler3DTransform(), geometry))


def rigid(t1: sitk.Image, t2: sitk.Image, brain: sitk.Image, bins: int, seed: int) -> tuple[float, ...]:
    """Three angles (rad) and a shift (LPS mm)."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(bins)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.2, seed)
    method.SetMetricFixedMask(brain)
    method.SetInitialTransform(start(t1, t2), inPlace=False)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(0.5, 1e-4, 100)
    method.SetOptimizerScalesFromPhysicalShift()
    found = method.Execute(t1, t2)
    return sitk.Euler3DTransform(
        found.GetBackTransform() if hasattr(found, "GetBackTransform") else found
    ).GetParameters()


if __name__ == "__main__":
    raise SystemExit(main())

"""elastix on DSIR: a multi-metric registration, mean squares for each component.

    dsir features --input FIXED MOVING -o f.nii.gz m.nii.gz --descriptor dsir --components 4 --masked --separate
    python with_elastix.py FIXED MOVING field.npy --setting dsir --features f.nii.gz m.nii.gz
    python with_elastix.py FIXED MOVING field.npy --setting mattes

Both begin from the same affine alignment by mutual information; only the metric of the B-spline stage differs. That
stage has three resolutions of 100 steps, not the package's four of 256, which took twice as long.
"""

from __future__ import annotations

import sys
from pathlib import Path

import itk
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peer_files import Task, from_lps, read_task

Image = itk.Image[itk.F, 3]
SHORTER = {
    "NumberOfResolutions": ["3"],
    "GridSpacingSchedule": ["4", "2", "1"],
    "MaximumNumberOfIterations": ["100"],
}


def main() -> None:
    """Affine, then B-spline; transformix makes the field (LPS mm) on the fixed image's grid."""
    task = read_task()
    fixed, moving = (itk.imread(str(path), itk.F) for path in (task.fixed, task.moving))
    affine = registration([(fixed, moving)], parameters("affine"))
    if task.setting == "mattes":
        spline = registration([(fixed, moving)], parameters("bspline", **SHORTER), affine)
    else:
        pairs = channels(task)
        penalised = [*pairs, pairs[0]]  # the bending penalty looks at no image, but elastix wants one for each metric
        count = len(penalised)
        several = {
            "Metric": ["AdvancedMeanSquares"] * len(pairs) + ["TransformBendingEnergyPenalty"],
            "ImageSampler": ["RandomCoordinate"] * count,
            "Interpolator": ["LinearInterpolator"] * count,
            **{f"Metric{n}Weight": ["1"] for n in range(count)},
            **{f"{side}ImagePyramid": [f"{side}SmoothingImagePyramid"] * count for side in ("Fixed", "Moving")},
        }
        spline = registration(penalised, parameters("bspline", **SHORTER, **several), affine)
    kji = np.asarray(itk.array_from_image(field(moving, fixed, spline)))  # numpy's axes run K, J, I
    task.finish(from_lps(kji.transpose(2, 1, 0, 3)))


def parameters(name: str, **changes: list[str]) -> itk.ParameterObject:
    """The package's default map of this name, with changes."""
    chosen = itk.ParameterObject.New()
    stage = chosen.GetDefaultParameterMap(name)
    for key, values in {"WriteResultImage": ["false"], **changes}.items():
        stage[key] = values
    chosen.AddParameterMap(stage)
    return chosen


def registration(
    pairs: list[tuple[Image, Image]], chosen: itk.ParameterObject, start: itk.ParameterObject | None = None
) -> itk.ParameterObject:
    """The transform of a registration of one or several pairs of images, after ``start``."""
    method = itk.ElastixRegistrationMethod[Image, Image].New()
    for n, (fixed, moving) in enumerate(pairs):
        (method.SetFixedImage if n == 0 else method.AddFixedImage)(fixed)
        (method.SetMovingImage if n == 0 else method.AddMovingImage)(moving)
    method.SetParameterObject(chosen)
    if start is not None:
        method.SetInitialTransformParameterObject(start)
    method.SetLogToConsole(False)
    method.UpdateLargestPossibleRegion()
    return method.GetTransformParameterObject()


def field(moving: Image, fixed: Image, found: itk.ParameterObject) -> itk.Image:
    """The deformation field on the grid of ``fixed`` (the features have one of their own)."""
    last = found.GetNumberOfParameterMaps() - 1
    found.SetParameter(last, "Size", [str(n) for n in itk.size(fixed)])
    found.SetParameter(last, "Spacing", [repr(float(n)) for n in itk.spacing(fixed)])
    found.SetParameter(last, "Origin", [repr(float(n)) for n in itk.origin(fixed)])
    direction = itk.array_from_matrix(fixed.GetDirection())
    found.SetParameter(last, "Direction", [repr(float(n)) for n in direction.T.ravel()])
    return itk.transformix_deformation_field(moving, found, log_to_console=False)


def channels(task: Task) -> list[tuple[Image, Image]]:
    """Fixed and moving image of each channel, as ``dsir features --separate`` wrote them."""
    sides = [sorted(path.parent.glob(path.name.replace(".nii.gz", "_??.nii.gz"))) for path in task.features]
    return [tuple(itk.imread(str(path), itk.F) for path in pair) for pair in zip(*sides, strict=True)]


if __name__ == "__main__":
    main()

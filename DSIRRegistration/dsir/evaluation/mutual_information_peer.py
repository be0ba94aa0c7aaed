"""The usual way, to compare with: mutual information by SimpleITK, rigid, then affine, then B-splines."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from ..files import itk
from ..files.itk_transforms import from_itk
from ..geometry.image import Image
from ..transforms.composite import Transform

BINS, SAMPLED, MESH = 32, 0.1, 8
"""Of the joint histogram; share of the voxels looked at; cells of the B-spline along each axis."""


def by_mutual_information(fixed: Image, moving: Image) -> Transform:
    """Fixed to moving by Mattes' mutual information (IEEE TMI 22(1), 2003), from the middles of both grids.

    Three levels for the linear stages, one for the splines; the settings of SimpleITK's own examples.
    """
    still, other = (itk.to_sitk(image.data.numpy(), image.lattice) for image in (fixed, moving))
    kind = sitk.CenteredTransformInitializerFilter.GEOMETRY
    rigid = sitk.Euler3DTransform(sitk.CenteredTransformInitializer(still, other, sitk.Euler3DTransform(), kind))
    _descend(still, other, rigid)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(rigid.GetMatrix())
    affine.SetTranslation(rigid.GetTranslation())
    affine.SetCenter(rigid.GetCenter())
    _descend(still, other, affine)
    spline = sitk.BSplineTransformInitializer(still, [MESH] * 3)
    method = _method()
    method.SetMovingInitialTransform(affine)
    method.SetInitialTransform(spline, inPlace=True)
    method.SetOptimizerAsLBFGSB(numberOfIterations=60)
    method.SetShrinkFactorsPerLevel([2])
    method.SetSmoothingSigmasPerLevel([1])
    method.Execute(still, other)
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(affine)
    whole.AddTransform(spline)
    return Transform(tuple(from_itk(whole, Path("mutual information"))))


def _descend(still: sitk.Image, other: sitk.Image, transform: sitk.Transform) -> None:
    method = _method()
    method.SetInitialTransform(transform, inPlace=True)
    method.SetOptimizerAsRegularStepGradientDescent(learningRate=1.0, minStep=1e-3, numberOfIterations=200)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.Execute(still, other)


def _method() -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLED, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    return method

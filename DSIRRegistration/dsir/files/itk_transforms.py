"""ITK's transforms to chains of linear maps and displacement fields, and back; LPS is turned to RAS here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from ..errors import DsirError, TransformError
from ..geometry.lattice import Lattice
from ..geometry.plausible import plausible
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from . import itk

SAMPLES_MOST = 20_000_000
"""Largest number of voxels a B-spline transform is sampled on (240 MB)."""


def to_itk(part: Linear | DisplacementField) -> sitk.Transform:
    """One part in LPS; a left-handed lattice is made right-handed on the way."""
    if isinstance(part, Linear):
        matrix = itk.LPS @ part.matrix @ itk.LPS
        affine = sitk.AffineTransform(3)
        affine.SetMatrix(matrix[:3, :3].ravel().tolist())
        affine.SetTranslation(matrix[:3, 3].tolist())
        return affine
    vectors, lattice = part.vectors.detach().cpu().double().numpy(), part.lattice
    right = lattice.right_handed()  # some readers take a left-handed direction for a reflection
    if right is not lattice:
        vectors, lattice = vectors[:, ::-1], right
    lps = np.moveaxis(vectors, 0, -1) * np.array([-1.0, -1.0, 1.0])
    return sitk.DisplacementFieldTransform(itk.to_sitk(lps, lattice, vector=True))


def composite_to_itk(transform: Transform) -> sitk.Transform:
    """A whole chain in LPS: one part as itself, several as a composite, none as the identity.

    ITK applies the transform that was added last first, so the parts go in from back to front.
    """
    written = [to_itk(part) for part in transform.parts if not (isinstance(part, Linear) and part.is_identity)]
    if not written:
        return sitk.AffineTransform(3)
    if len(written) == 1:
        return written[0]
    whole = sitk.CompositeTransform(3)
    for part in reversed(written):
        whole.AddTransform(part)
    return whole


def from_itk(transform: sitk.Transform, path: Path) -> list[Linear | DisplacementField]:
    """The parts in the order in which they meet a point; a run of linear ones that ITK calls linear is one matrix.

    Raises:
        TransformError: a kind that cannot be represented; the sentence names ``path``.
    """
    transform = transform.Downcast()
    if transform.IsLinear():  # first: SimpleITK hides ANTs' MatrixOffsetTransformBase in composites without end
        return [Linear(itk.LPS @ _matrix(transform) @ itk.LPS)]
    if isinstance(transform, sitk.CompositeTransform):
        members = [transform.GetNthTransform(n).Downcast() for n in range(transform.GetNumberOfTransforms())]
        if len(members) == 1 and isinstance(members[0], sitk.CompositeTransform):
            raise TransformError(f"{path} holds a kind of transform that SimpleITK does not know.")
        return [part for member in reversed(members) for part in from_itk(member, path)]
    if isinstance(transform, sitk.DisplacementFieldTransform):
        return [field_of_image(transform.GetDisplacementField(), path)]
    if isinstance(transform, sitk.BSplineTransform):
        return [field_of_image(_sample_bspline(transform), path)]
    raise TransformError(f"{path} holds a {transform.GetName()}, which cannot be represented here.")


def field_of_image(image: sitk.Image, path: Path) -> DisplacementField:
    """An ITK vector image as a displacement field."""
    values = sitk.GetArrayFromImage(image).transpose(3, 2, 1, 0)
    return as_field(values, itk.affine_of(image), path, lps=True)


def check_millimetres(path: Path, unit: str) -> None:
    """Refuse a field in a file that counts in another ``unit`` (empty: mm, or none is said).

    Raises:
        TransformError: it does.
    """
    if unit:
        raise TransformError(f"{path} is in {unit} and does not say whether its vectors are so too; write it in mm.")


def as_field(values: np.ndarray, affine: np.ndarray, path: Path, *, lps: bool) -> DisplacementField:
    """(3, I, J, K) values as a field; float32, contiguous, RAS.

    Raises:
        TransformError: not finite, or a lattice that makes no sense; the sentence names ``path``.
    """
    if not plausible(values):
        raise TransformError(f"{path} has displacements that are NaN or infinite, or longer than a kilometre.")
    vectors = torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
    if lps:
        vectors[:2] *= -1
    try:
        return DisplacementField(vectors, Lattice(tuple(values.shape[1:]), affine))
    except DsirError as error:
        raise TransformError(f"{path}: {error}") from None


def _matrix(transform: sitk.Transform) -> np.ndarray:
    """(4, 4) in LPS of any linear transform, from what it does to a frame of points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    reach = 1000.0  # mm: a long lever keeps the digits
    for axis in range(3):
        tip = np.zeros(3)
        tip[axis] = reach
        matrix[:3, axis] = (np.array(transform.TransformPoint(tip.tolist())) - origin) / reach
    matrix[:3, 3] = origin
    return matrix


def _sample_bspline(transform: sitk.BSplineTransform) -> sitk.Image:
    """A B-spline's displacements on a grid a twelfth of its control spacing wide, 2 mm at most."""
    direction = np.array(transform.GetTransformDomainDirection()).reshape(3, 3)
    extent = np.array(transform.GetTransformDomainPhysicalDimensions())
    control = extent / np.array(transform.GetTransformDomainMeshSize())
    spacing = np.minimum(control / 12, 2.0)
    spacing *= max(1.0, (np.prod(extent / spacing + 1) / SAMPLES_MOST) ** (1 / 3))
    # ITK's splines end just inside the far faces: stay a hair within, or the last layer reads as unmoved.
    count = np.maximum(np.ceil(extent / spacing).astype(int), 2)
    inset = 1e-4 * extent
    spacing = (extent - 2 * inset) / (count - 1)
    origin = np.array(transform.GetTransformDomainOrigin()) + direction @ inset
    return sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, count.tolist(), origin.tolist(), spacing.tolist(), direction.ravel().tolist()
    )

"""Transforms in files: ITK's .h5, .tfm, .txt, .mat (LPS, by SimpleITK) and displacement fields as images."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
import torch

from ..errors import DsirError, TransformError
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from . import itk, nifti
from .atomic import complete_file, reserve
from .images import suffix

VECTOR, DISPLACEMENT = 1007, 1006
"""NIfTI intents. ITK turns the vectors of 1006 between RAS and LPS, those of 1007 it takes as they are."""

ITK_FILES = (".h5", ".hdf5", ".tfm", ".txt", ".mat")
SAMPLES_MOST = 20_000_000
"""Largest number of voxels a B-spline transform is sampled on (240 MB)."""


def write_transform(path: str | Path, transform: Transform) -> None:
    """Write a fixed-to-moving transform as SimpleITK, Slicer and ITK tools read it (``.h5`` or ``.tfm``, LPS).

    One part is written as itself (displacement field or affine), several as a composite. ITK applies the transform that
    was added last first, so the parts go in from back to front. Lattices are made right-handed on the way.

    Raises:
        DsirError: another suffix, or the file cannot be written.
    """
    if suffix(path) not in (".h5", ".hdf5", ".tfm", ".txt"):
        raise DsirError(f"{path}: transforms are written as .h5 or .tfm (displacement fields as .nii.gz).")
    parts = [part for part in transform.parts if not (isinstance(part, Linear) and part.is_identity)]
    written = [_to_itk(part) for part in parts]
    if not written:
        whole: sitk.Transform = sitk.AffineTransform(3)
    elif len(written) == 1:
        whole = written[0]
    else:
        whole = sitk.CompositeTransform(3)
        for part in reversed(written):
            whole.AddTransform(part)
    with complete_file(path) as temporary:
        reserve(temporary.parent, sum(_size(part, suffix(path)) for part in parts))
        try:
            with itk.quiet():
                sitk.WriteTransform(whole, str(temporary))
        except RuntimeError:  # ITK gives no reason
            raise DsirError(f"{path} cannot be written: the disk may be full.") from None


def write_displacement_nifti(path: str | Path, field: DisplacementField) -> None:
    """Write (I, J, K, 1, 3) float32 in RAS mm, intent displacement vector (1006): the fixed point x lies at x + u(x) in
    moving.

    Slicer and ITK read it as what it is. Under the plain vector intent (1007) they would take its vectors for LPS: a
    Slicer user who drags the file in would get a field mirrored in two axes, and a warning in the log alone.
    """
    values = field.vectors.detach().cpu().movedim(0, -1)[:, :, :, None].numpy()
    with complete_file(path) as temporary:
        nifti.write(
            temporary,
            values,
            field.lattice.affine,
            intent="displacement vector",
            description="DSIR displacement fixed to moving, RAS mm",
        )


def read_displacement_nifti(path: str | Path, *, vectors: str | None = None) -> DisplacementField:
    """A displacement field from NIfTI, (I, J, K, 1, 3) or (I, J, K, 3).

    Args:
        vectors: ``"ras"`` or ``"lps"``. By default RAS, as we and the NIfTI standard have it, except for files named
            as ANTs names its own (``...Warp.nii.gz``), which hold LPS vectors under the same intent.

    Raises:
        DsirError: not NIfTI, damaged, not three components, or not finite.
    """
    path = Path(path)
    if not path.exists():
        raise DsirError(f"{path} does not exist.")
    values, affines = nifti.read(path)
    if values.ndim == 5 and values.shape[3] == 1:
        values = values[:, :, :, 0]
    if values.ndim != 4 or values.shape[-1] != 3:
        raise TransformError(f"{path} is not a displacement field: its shape is {' x '.join(map(str, values.shape))}.")
    if vectors is None:
        ants = path.name.lower().endswith(("warp.nii.gz", "warp.nii"))
        intent = int(nib.load(path).header["intent_code"])
        vectors = "lps" if ants and intent != DISPLACEMENT else "ras"
    return _field(np.moveaxis(values, -1, 0), affines[0], path, lps=vectors == "lps")


def read_transform(path: str | Path, *, vectors: str | None = None) -> Transform:
    """A fixed-to-moving transform from any file this product, ITK, ANTs or Slicer writes.

    Composites of any depth become one chain; Euler, versor, similarity and translation transforms become matrices;
    B-splines are sampled to a displacement field (at most 2 mm apart). Outside a field's lattice the edge displacement
    continues, where ITK stops moving points.

    Args:
        vectors: see :func:`read_displacement_nifti`.

    Raises:
        DsirError: the file is missing, damaged, 2-D, singular, or of a kind that cannot be represented.
    """
    path = Path(path)
    if not path.exists():
        raise DsirError(f"{path} does not exist.")
    kind = suffix(path)
    if kind in (".nii", ".nii.gz"):
        return Transform((read_displacement_nifti(path, vectors=vectors),))
    try:
        with itk.quiet():
            if kind not in ITK_FILES:
                return Transform((_read_itk_field(path),))
            transform = sitk.ReadTransform(str(path))
    except RuntimeError:
        raise TransformError(f"{path} is not a transform that can be read (.h5, .tfm, .mat, .nii.gz, .nrrd).") from None
    if transform.GetDimension() != 3:
        raise TransformError(f"{path} holds a {transform.GetDimension()}-D transform; a 3-D one is needed.")
    try:
        return Transform(tuple(_from_itk(transform, path)))
    except TransformError as error:
        raise error if str(path) in str(error) else TransformError(f"{path}: {error}") from None


def _read_itk_field(path: Path) -> DisplacementField:
    image = sitk.ReadImage(str(path))
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 3:
        raise TransformError(f"{path} is not a displacement field: it has not three values a voxel of a 3-D grid.")
    return _field_of_image(image, path)


def _to_itk(part: Linear | DisplacementField) -> sitk.Transform:
    if isinstance(part, Linear):
        matrix = itk.LPS @ part.matrix @ itk.LPS
        affine = sitk.AffineTransform(3)
        affine.SetMatrix(matrix[:3, :3].ravel().tolist())
        affine.SetTranslation(matrix[:3, 3].tolist())
        return affine
    vectors, lattice = part.vectors.detach().cpu().double().numpy(), part.lattice
    if np.linalg.det(lattice.affine[:3, :3]) < 0:  # some readers take a left-handed direction for a reflection
        flip = np.diag([-1.0, 1.0, 1.0, 1.0])
        flip[0, 3] = lattice.shape[0] - 1
        vectors, lattice = vectors[:, ::-1], Lattice(lattice.shape, lattice.affine @ flip)
    lps = np.moveaxis(vectors, 0, -1) * np.array([-1.0, -1.0, 1.0])
    return sitk.DisplacementFieldTransform(itk.to_sitk(lps, lattice, vector=True))


def _size(part: Linear | DisplacementField, kind: str) -> int:
    """Bytes a part takes in a file: doubles in HDF5, up to 25 letters a number as text."""
    numbers = part.vectors.numel() if isinstance(part, DisplacementField) else 12
    return 8192 + numbers * (8 if kind in (".h5", ".hdf5") else 25)


def _from_itk(transform: sitk.Transform, path: Path) -> list[Linear | DisplacementField]:
    """The parts in the order in which they meet a point; a run of linear ones that ITK calls linear is one matrix."""
    transform = transform.Downcast()
    if transform.IsLinear():  # first: SimpleITK hides ANTs' MatrixOffsetTransformBase in composites without end
        return [Linear(itk.LPS @ _matrix(transform) @ itk.LPS)]
    if isinstance(transform, sitk.CompositeTransform):
        members = [transform.GetNthTransform(n).Downcast() for n in range(transform.GetNumberOfTransforms())]
        if len(members) == 1 and isinstance(members[0], sitk.CompositeTransform):
            raise TransformError(f"{path} holds a kind of transform that SimpleITK does not know.")
        return [part for member in reversed(members) for part in _from_itk(member, path)]
    if isinstance(transform, sitk.DisplacementFieldTransform):
        return [_field_of_image(transform.GetDisplacementField(), path)]
    if isinstance(transform, sitk.BSplineTransform):
        return [_field_of_image(_sample_bspline(transform), path)]
    raise TransformError(f"{path} holds a {transform.GetName()}, which cannot be represented here.")


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


def _field_of_image(image: sitk.Image, path: Path) -> DisplacementField:
    values = sitk.GetArrayFromImage(image).transpose(3, 2, 1, 0)
    return _field(values, itk.affine_of(image), path, lps=True)


def _field(values: np.ndarray, affine: np.ndarray, path: Path, *, lps: bool) -> DisplacementField:
    """(3, I, J, K) values as a field; float32, contiguous, RAS."""
    vectors = torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
    if not torch.isfinite(vectors).all():
        raise TransformError(f"{path} has displacements that are NaN or infinite.")
    if lps:
        vectors[:2] *= -1
    try:
        return DisplacementField(vectors, Lattice(tuple(values.shape[1:]), affine))
    except DsirError as error:
        raise TransformError(f"{path}: {error}") from None

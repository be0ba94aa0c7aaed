"""Whatever holds an image, as an :class:`dsir.Image`; and back to SimpleITK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from ..errors import DsirError
from ..files import itk
from ..files.images import is_scattered, read_image
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..rt.label_maps import read_labels
from .paths import expanded

KINDS = "a path, a SimpleITK or nibabel image, a MONAI MetaTensor, (array, affine) or a dsir.Image"

Labels = tuple[torch.Tensor, Lattice]
"""(I, J, K) int32, 0 is background, and its lattice."""


def read(path: str | Path) -> Image:
    """A scan from a NIfTI, NRRD, MHA or MHD file, or from a folder that holds one DICOM series.

    Raises:
        DsirError: one sentence that names the file.
    """
    return read_image(expanded(path))


def as_image(given: Any) -> Image:
    """Any kind of image as ours: float32, RAS.

    >>> as_image((np.arange(8).reshape(2, 2, 2), np.diag([2.0, 2.0, 3.0, 1.0]))).lattice.spacing.tolist()
    [2.0, 2.0, 3.0]

    Raises:
        DsirError: no image, not 3-D, complex or colour, NaN or infinite, or all voxels alike.
    """
    if isinstance(given, str | Path):
        return read_image(expanded(given))
    if isinstance(given, Image):
        values, lattice, remarks = given.data.detach().cpu().numpy(), given.lattice, given.remarks
    else:
        values, lattice = _values(given)
        remarks = ()
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        values = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise DsirError("The image has voxels that are NaN or infinite; replace them before registering.")
    if values.min() == values.max():
        raise DsirError(f"The image is constant: every voxel is {values.flat[0]:g}.")
    return Image(torch.from_numpy(values), lattice, remarks)


def as_labels(given: Any) -> Labels:
    """Any kind of label map as (I, J, K) int32 and its lattice.

    Raises:
        DsirError: no label map, not 3-D, or values that are not whole numbers from 0 on.
    """
    if isinstance(given, str | Path):
        return read_labels(expanded(given))
    if isinstance(given, Image):
        values, lattice = given.data.detach().cpu().numpy(), given.lattice
    else:
        values, lattice = _values(given)
    if not np.isfinite(values).all() or values.min() < 0 or (values != np.rint(values)).any() or is_scattered(values):
        raise DsirError("Labels have to be whole numbers from 0 on; for a scan use apply(image=...).")
    if values.max() > np.iinfo(np.int32).max:
        raise DsirError(f"The label {values.max():g} is too large; 2147483647 is the most.")
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int32)), lattice


def to_sitk(image: Image) -> sitk.Image:
    """As a SimpleITK image, float32, in LPS."""
    return itk.to_sitk(image.data.detach().cpu().numpy(), image.lattice)


def _values(given: Any) -> tuple[np.ndarray, Lattice]:
    """(I, J, K) values of their own type, and where they lie."""
    channels_first = False
    if isinstance(given, sitk.Image):
        if given.GetNumberOfComponentsPerPixel() != 1 or given.GetDimension() not in (3, 4):
            raise DsirError("The SimpleITK image is not a 3-D volume with one number a voxel.")
        values, affine = sitk.GetArrayFromImage(given).T, itk.affine_of(given)
    elif isinstance(given, torch.Tensor) and hasattr(given, "affine"):  # a MetaTensor, channels first
        values, affine = np.asarray(given.detach().cpu()), np.asarray(torch.as_tensor(given.affine).cpu())
        if str(getattr(given, "meta", {}).get("space", "RAS")).upper().endswith("LPS"):
            affine = itk.LPS @ affine
        channels_first = True
    elif hasattr(given, "dataobj") and hasattr(given, "affine"):  # nibabel
        values, affine = np.asanyarray(given.dataobj), given.affine
        if affine is None:
            raise DsirError("The nibabel image has no affine, so nobody knows where it lies.")
    elif isinstance(given, tuple) and len(given) == 2:
        values, affine = np.asarray(given[0]), np.asarray(given[1])
    else:
        raise DsirError(f"A {type(given).__name__} is no image; {KINDS} is taken.")
    if values.dtype.kind not in "biuf":
        raise DsirError(f"The image's voxels are of the type {values.dtype}; plain numbers are needed.")
    while values.ndim > 3 and values.shape[0 if channels_first else -1] == 1:
        values = values[0] if channels_first else values[..., 0]
    if values.ndim != 3 or min(values.shape) < 2:
        raise DsirError(f"The image has the shape {tuple(values.shape)}; a 3-D volume is needed.")
    return values, Lattice(values.shape, affine)

"""Reading volumes from files and writing them: NIfTI by nibabel, NRRD, MetaImage and DICOM by SimpleITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..errors import DsirError, NotAnImage
from ..geometry.image import Image
from ..geometry.lattice import Lattice, Shape
from ..geometry.sampling import affine_grid, sample
from . import nifti
from .atomic import complete_file
from .headers import check_there
from .nifti_forms import form_remarks
from .text_forms import text_form_remarks

NIFTI = (".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh")
ITK = (".nrrd", ".nhdr", ".mha", ".mhd")


def suffix(path: str | Path) -> str:
    """The lower-case suffix, ``.nii.gz`` as one."""
    name = Path(path).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def read_image(path: str | Path) -> Image:
    """A scalar volume from a NIfTI, NRRD, MHA or MHD file, or from a folder that holds one DICOM series.

    Rescale slopes are applied, a 4-D file with a single volume becomes that volume, and the affine is in RAS mm.

    Raises:
        DsirError: one sentence that names the file: missing, not an image, damaged, not 3-D, a single slice, colour,
            sheared or singular affine, NaN or infinite voxels, all voxels alike.
    """
    values, lattice, remarks = _read_volume(path)
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise DsirError(
            f"{path} has {bad} voxels (of {values.size}) that are NaN or infinite; replace them before registering."
        )
    if values.min() == values.max():
        raise DsirError(f"{path} is constant: every voxel is {values.flat[0]:g}, so there is nothing to register.")
    return Image(torch.from_numpy(values), lattice, remarks)


def geometry_remarks(*paths: str | Path | None) -> tuple[str, ...]:
    """What must be known of where images, label maps, masks and fields lie, one sentence each."""
    files = [Path(path) for path in paths if path is not None and Path(path).is_file()]
    said = [form_remarks(file) if suffix(file) in NIFTI else text_form_remarks(file) for file in files]
    return tuple(sentence for sentences in said for sentence in sentences)


def read_labels(path: str | Path) -> tuple[torch.Tensor, Lattice]:
    """A label map: (I, J, K) int32 (0 is background) and its lattice.

    Raises:
        DsirError: as :func:`read_image`, or the values are not whole numbers from 0 on. A constant map is accepted.
    """
    values, lattice, _ = _read_volume(path, dtype=None)
    if not np.issubdtype(values.dtype, np.integer):
        if not np.isfinite(values).all() or np.abs(values - np.rint(values)).max() > 1e-3:
            raise DsirError(f"{path} is not a label map: its values are not whole numbers.")
        values = np.rint(values)
    if values.min() < 0 or values.max() > np.iinfo(np.int32).max:
        raise DsirError(f"{path} is not a label map: its values run from {values.min():g} to {values.max():g}.")
    if is_scattered(values):
        raise DsirError(f"{path} is not a label map but a scan: hardly a voxel has the value of the one beside it.")
    return torch.from_numpy(values.astype(np.int32)), lattice


FEW = 255
"""Values up to which nobody asks whether a map is a scan."""

SHARED = 0.25
"""Share of neighbours with one value below which a map is a scan: its noise has far less, the finest atlas far more."""


def is_scattered(values: np.ndarray) -> bool:
    """Whether whole numbers (I, J, K) are those of a scan: each would be propagated as a shape, for hours."""
    if values.max(initial=0) <= FEW:
        return False
    one, other = values[1:], values[:-1]
    inside = (one > 0) & (other > 0)
    return bool((one == other)[inside].mean() < SHARED) if inside.any() else False


def read_mask(path: str | Path, on: Lattice | None = None) -> torch.Tensor:
    """A mask: (I, J, K) bool, true where the file is above zero.

    Args:
        on: the lattice to bring it to (nearest voxel, false outside the file); the file's own by default.

    Raises:
        DsirError: as :func:`read_image`, or no voxel is in the mask (on that lattice).
    """
    values, lattice, _ = _read_volume(path)
    if not np.isfinite(values).all():
        raise DsirError(f"{path} is not a mask: it has NaN or infinite voxels.")
    mask = torch.from_numpy(values) > 0
    if not mask.any():
        raise DsirError(f"The mask {path} is empty: no voxel is above zero.")
    if on is not None and not lattice.matches(on):
        mask = sample(mask[None].float(), affine_grid(on, lattice), mode="nearest")[0] > 0.5
        if not mask.any():
            raise DsirError(f"The mask {path} lies outside its image: no voxel of the image is in it.")
    return mask


def write_image(path: str | Path, image: Image, *, dtype: np.dtype | type | None = None) -> None:
    """Write a scalar volume; the suffix picks the format. Whole under its final name, or not there at all.

    Args:
        dtype: float32 by default; an integer type rounds and clips.
    """
    _write(path, _as_type(image.data, dtype or np.float32), image.lattice)


def write_labels(path: str | Path, labels: torch.Tensor, lattice: Lattice) -> None:
    """Write a label map (I, J, K) in the smallest of uint8, int16 and int32 that holds it."""
    top, bottom = int(labels.max()), int(labels.min())
    kinds = [k for k in (np.uint8, np.int16, np.int32) if np.iinfo(k).min <= bottom and top <= np.iinfo(k).max]
    _write(path, labels.cpu().numpy().astype(kinds[0]), lattice)


def write_features(path: str | Path, features: torch.Tensor, lattice: Lattice) -> None:
    """Write (C, I, J, K) with the affine of the lattice it lives on.

    As a 4-D NIfTI (I, J, K, C), or as NRRD or MHA with C numbers a voxel; a single channel is a plain 3-D volume.
    """
    kind = suffix(path)
    if kind not in (*NIFTI, ".nrrd", ".mha"):
        raise DsirError(f"{path}: features are written as .nii, .nii.gz, .nrrd or .mha.")
    values: np.ndarray = features.detach().cpu().movedim(0, -1).float().numpy()
    values = values[..., 0] if values.shape[-1] == 1 else values
    _write(path, values, lattice, "DSIR features")


def _write(path: str | Path, values: np.ndarray, lattice: Lattice, description: str = "") -> None:
    kind = suffix(path)
    if kind not in (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"):
        raise DsirError(f"{path}: images are written as .nii, .nii.gz, .nrrd, .mha or .mhd.")
    with complete_file(path) as temporary:
        if kind in NIFTI:
            nifti.write(temporary, values, lattice.affine, description=description)
        else:
            from . import itk

            itk.write(temporary, values, lattice)


def _as_type(data: torch.Tensor, dtype: np.dtype | type) -> np.ndarray:
    values = data.detach().cpu().numpy()
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values.astype(np.float64)), limits.min, limits.max)
    return values.astype(dtype, copy=False)


def _read_volume(path: str | Path, dtype: type | None = np.float32) -> tuple[np.ndarray, Lattice, tuple[str, ...]]:
    """(I, J, K) C-ordered values (their own type for None), the lattice and remarks; each fault is a sentence."""
    path = Path(path)
    kind = suffix(path)
    check_there(path)
    if _is_dicom(path):
        from ..dicom.series import read_series  # pydicom is wanted for DICOM only

        image = read_series(path).volume()
        return image.data.numpy(), image.lattice, image.remarks
    if kind in NIFTI:
        values, file = nifti.read(path, dtype)
        affines, remarks = file.affines, file.remarks
    elif kind in ITK or kind not in NO_VOLUMES:
        from . import itk

        values, affines = itk.read(path)
        remarks = text_form_remarks(path)
    else:
        hint = " Unpack it first." if kind in (".gz", ".zip") else ""
        hint = " Pictures do not say where they lie." if kind in PICTURES else hint
        raise NotAnImage(
            f"{path} is not an image file; .nii, .nii.gz, .nrrd, .mha, .mhd or a DICOM folder is read.{hint}"
        )
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim > 3:
        raise DsirError(
            f"{path} has {values.ndim} dimensions ({_by(values.shape)}); a single 3-D volume is needed, so extract one."
        )
    if values.ndim < 3:
        raise DsirError(f"{path} is {values.ndim}-D ({_by(values.shape)}); a 3-D volume is needed.")
    if min(values.shape) < 2:
        hint = "; for DICOM, give the folder of the series" if kind in (".dcm", "") else ""
        raise DsirError(f"{path} is a single slice ({_by(values.shape)}); a 3-D volume is needed{hint}.")
    try:
        lattice = _lattice(values.shape, affines)
    except DsirError as error:
        raise DsirError(f"{path}: {error}") from None
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is then refused by name
        return np.ascontiguousarray(values, dtype=dtype), lattice, remarks


PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".lsm", ".gif")
"""Their pixels have no place in a patient, and slices no distance; ITK reads some of them, and makes both up."""

NO_VOLUMES = (*PICTURES, ".txt", ".csv", ".json", ".h5", ".tfm", ".gz", ".zip", ".pdf")

KNOWN = (*NIFTI, *ITK, *NO_VOLUMES)
"""Suffixes of files that are no DICOM, whatever they hold."""


def _is_dicom(path: Path) -> bool:
    """Whether a path is read as DICOM: a folder, or a file that begins as one."""
    if path.is_dir() or not path.is_file() or suffix(path) in KNOWN:
        return path.is_dir()
    if suffix(path) == ".dcm" or path.name.upper() == "DICOMDIR":
        return True
    from ..dicom.dataset import read_header

    return read_header(path) is not None


def _lattice(shape: Shape, affines: list[np.ndarray]) -> Lattice:
    """The lattice of the first affine that makes one: a sheared sform gives way to the rigid qform, as in ITK."""
    for affine in affines[:-1]:
        try:
            return Lattice(shape, affine)
        except DsirError:
            continue
    return Lattice(shape, affines[-1])


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)

"""NIfTI files as arrays and index-to-RAS affines in mm."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

from ..errors import DsirError
from .checksums import inflated_size
from .headers import check_promise, check_surplus
from .nifti_forms import NiftiFile


def read(path: Path, dtype: type | None = None) -> tuple[np.ndarray, NiftiFile]:
    """Values with slopes applied, and the file, which tells where they lie.

    Args:
        dtype: what the values will be turned into; float32 spares the float64 volume that slopes make otherwise.

    Raises:
        DsirError: not NIfTI, damaged, colour or complex.
    """
    try:
        try:
            found = NiftiFile.open(path)
            _ = found.affines  # looked up now, so that what is wrong with them is said here
        except ValueError:  # a quaternion that is none, say
            raise nib.spatialimages.HeaderDataError from None
        _check_slope(found)
        file = found.image
        kind = file.get_data_dtype()
        if kind.fields:
            raise DsirError(f"{path} is a colour image; a scalar volume is needed.")
        if np.issubdtype(kind, np.complexfloating):
            raise DsirError(f"{path} holds complex numbers; write the magnitude first.")
        _check_size(file, path)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            values = np.asanyarray(file.dataobj, dtype=dtype)
        _check_end(file, path)
    except nib.filebasedimages.ImageFileError:
        if _is_cut_gzip(path):
            raise DsirError(f"{path} is damaged: the file ends early or its compression is broken.") from None
        raise DsirError(f"{path} is not a NIfTI image, whatever its name says.") from None
    except (EOFError, zlib.error, OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise DsirError(f"{path} may not be read: permission denied.") from None
        raise DsirError(f"{path} is damaged: the file ends early or its compression is broken.") from None
    except nib.spatialimages.HeaderDataError:
        raise DsirError(f"{path} is damaged: its header makes no sense.") from None
    return values, found


STORABLE = (np.uint8, np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64)
"""Voxel types that NIfTI readers agree on; everything else becomes float32."""


def storable(kind: np.dtype) -> np.dtype:
    """The type that voxels of a type are stored as."""
    return np.dtype(kind if np.dtype(kind).type in STORABLE else np.float32)


def header(shape: tuple[int, ...], kind: np.dtype, affine: np.ndarray) -> bytes:
    """What stands before the voxels of an uncompressed file; they follow with the first index running fastest."""
    made = nib.Nifti1Header()
    made.set_data_shape(shape)
    made.set_data_dtype(kind)
    made.set_xyzt_units("mm")
    made.set_sform(affine, code=1)
    made.set_qform(affine, code=1)
    made["vox_offset"], made["magic"] = 352, b"n+1"
    made["scl_slope"], made["scl_inter"] = 1.0, 0.0
    return made.binaryblock + b"\0" * 4  # no extensions


def write(path: Path, values: np.ndarray, affine: np.ndarray, *, intent: str = "none", description: str = "") -> None:
    """Write values with the affine (RAS mm) as both sform and qform, code 1 (scanner)."""
    file = nib.Nifti1Image(values, affine)
    file.header.set_xyzt_units("mm")
    file.header.set_intent(intent)
    file.header["descrip"] = description
    file.set_sform(affine, code=1)
    file.set_qform(affine, code=1)
    nib.save(file, path)


def _check_slope(file: NiftiFile) -> None:
    """Refuse an infinite slope, which nibabel passes over; NaN means none, as nibabel itself writes it."""
    if isinstance(file.header, nib.Nifti1Header) and np.isinf(file.stored["scl_slope"]):
        raise DsirError(f"{file.path} is damaged: its header says that the slope of its values is infinite.")


def _check_size(file: nib.spatialimages.SpatialImage, path: Path) -> None:
    """Refuse a header that promises more voxels than its file can hold."""
    voxels = _voxel_file(file, path)
    offset, single = getattr(file.dataobj, "offset", 0), getattr(file.header, "is_single", False)
    in_header = single and isinstance(file.header, nib.Nifti1Header) and offset < file.header.sizeof_hdr
    if not file.shape or min(file.shape) < 1 or in_header:
        raise DsirError(f"{path} is damaged: its header makes no sense.")
    promised = _promised(file)
    compressed = voxels.suffix.lower() in (".gz", ".bz2", ".zst", ".mgz")
    check_promise(path, promised, voxels.stat().st_size, compressed=compressed)


def _check_end(file: nib.spatialimages.SpatialImage, path: Path) -> None:
    """Refuse a file that goes on behind its last voxel, or whose compressed voxels are spoiled."""
    voxels = _voxel_file(file, path)
    held = inflated_size(path, voxels) if voxels.suffix.lower() == ".gz" else voxels.stat().st_size
    if isinstance(file.header, nib.AnalyzeHeader) and voxels.suffix.lower() in (".gz", ".nii", ".img"):
        check_surplus(path, getattr(file.dataobj, "offset", 0) + _promised(file), held)


def _promised(file: nib.spatialimages.SpatialImage) -> int:
    """Bytes of voxels by the header."""
    return int(np.prod(file.shape, dtype=object)) * file.get_data_dtype().itemsize


def _voxel_file(file: nib.spatialimages.SpatialImage, path: Path) -> Path:
    """The file that holds the voxels: of a pair the other one."""
    image = getattr(file, "file_map", {}).get("image")
    return Path(image.filename) if image is not None and image.filename else path


def _is_cut_gzip(path: Path) -> bool:
    """Whether a file begins as gzip and breaks off even before an image's header is whole."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return False
    try:
        with gzip.open(path) as file:
            file.read(1024)
    except (EOFError, zlib.error, OSError):
        return True
    return False

"""NRRD and MetaImage through SimpleITK; LPS is turned to RAS here and nowhere else for images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import DsirError, NotAnImage
from ..geometry.lattice import LPS, Lattice
from ..quiet import muted, quiet
from .checksums import check_voxels
from .headers import check_promise, coding, data_files, head_of
from .text_forms import check_axes


def read(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Values (I, J, K[, L]) and the index-to-RAS affine.

    Raises:
        DsirError: not an image, damaged, or colour.
    """
    return _values(read_image(path), str(path))


def read_image(path: Path) -> sitk.Image:
    """A file as SimpleITK has it.

    Raises:
        DsirError: not an image, damaged, or its header promises what is not there or lies elsewhere.
    """
    if not os.access(path, os.R_OK):
        raise DsirError(f"{path} may not be read: permission denied.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    calm = quiet if path.suffix.lower() in (".nrrd", ".nhdr", ".nii", ".gz") else muted  # others may be MetaIO's
    try:
        files, head = data_files(path), head_of(path)
        check_axes(path, head)
        with calm():
            reader.ReadImageInformation()
        voxels, size = _check_size(reader, path, head, sum(file.stat().st_size for file in files))
        if _in_words(head):
            check_voxels(path, head, files, voxels, size)
        _check_coding(path, head)
        with calm():
            image = reader.Execute()
        _refuse_fractional(image, path)
        return image
    except (RuntimeError, UnicodeDecodeError, OSError, MemoryError) as error:
        raise _fault(path, str(error)) from None


def write(path: Path, values: np.ndarray, lattice: Lattice) -> None:
    """Write (I, J, K) values, or (I, J, K, C) as C numbers a voxel, compressed."""
    write_image(path, to_sitk(values, lattice, vector=values.ndim == 4))


def write_image(path: Path, image: sitk.Image) -> None:
    """Write what SimpleITK has, compressed.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with quiet():
            sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError:  # ITK gives no reason
        raise OSError(None, "the disk may be full") from None


def to_sitk(values: np.ndarray, lattice: Lattice, *, vector: bool = False) -> sitk.Image:
    """(I, J, K) or, with ``vector``, (I, J, K, C) as a SimpleITK image in LPS."""
    axes = (2, 1, 0, 3) if vector else (2, 1, 0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(axes)), isVector=vector)
    image.SetSpacing(lattice.spacing.tolist())
    image.SetOrigin((LPS[:3, :3] @ lattice.origin).tolist())
    image.SetDirection((LPS[:3, :3] @ lattice.directions).ravel().tolist())
    return image


def affine_of(image: sitk.Image | sitk.ImageFileReader) -> np.ndarray:
    """(4, 4) index-to-RAS of a 3-D (or the first three axes of a 4-D) SimpleITK image."""
    n = image.GetDimension()
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(n, n)
    affine[:3, :3] = direction[:3, :3] * np.array(image.GetSpacing())[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    return LPS @ affine


def affine_in_file(path: Path) -> np.ndarray | None:
    """(4, 4) index-to-RAS as ITK takes a file, from its header alone; None where ITK refuses it."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError:
        return None
    return affine_of(reader) if reader.GetDimension() >= 3 else None


def _values(image: sitk.Image, name: str) -> tuple[np.ndarray, list[np.ndarray]]:
    channels = image.GetNumberOfComponentsPerPixel()
    if channels > 1 and (name.endswith(".seg.nrrd") or "Segment0_ID" in image.GetMetaDataKeys()):
        raise DsirError(f"{name} holds overlapping segments in {channels} layers; export them to files of their own.")
    if channels > 1:
        kind = "a colour image" if channels in (3, 4) and "8-bit" in image.GetPixelIDTypeAsString() else "not scalar"
        raise DsirError(f"{name} is {kind} ({channels} values a voxel); a scalar volume is needed.")
    if "complex" in image.GetPixelIDTypeAsString():
        raise DsirError(f"{name} holds complex numbers; write the magnitude first.")
    values = sitk.GetArrayFromImage(image).transpose()
    if image.GetDimension() < 3:
        return values, [np.eye(4)]
    return values, [affine_of(image)]


def _check_size(reader: sitk.ImageFileReader, path: Path, head: bytes, held: int) -> tuple[int, int]:
    """Refuse a header that promises more voxels than the files can hold; text takes a byte a voxel at the least.

    Returns:
        how many numbers it promises, and the bytes of each.
    """
    if min(reader.GetSize(), default=0) < 1:
        raise DsirError(f"{path} is damaged: its header makes no sense.")
    numbers = int(np.prod([int(n) for n in reader.GetSize()], dtype=object)) * max(reader.GetNumberOfComponents(), 1)
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    size = next((int(bits) // 8 for bits in ("64", "32", "16", "8") if bits in kind), 1) * (1 + ("complex" in kind))
    how = coding(head).kind if _in_words(head) else ""
    if how in ("raw", "gzip", "text"):  # of other formats their readers know
        check_promise(path, numbers * (1 if how == "text" else size), held, compressed=how == "gzip")
    return numbers, size


def _check_coding(path: Path, head: bytes) -> None:
    """Refuse voxels in a coding that ITK is built without (bzip2): it says of them that they are no image."""
    if _in_words(head) and coding(head).kind not in ("raw", "gzip", "text", "hex"):
        raise DsirError(f"{path} holds voxels in the coding {coding(head).kind}; write them as gzip or raw.")


def _refuse_fractional(image: sitk.Image, path: Path) -> None:
    """Refuse Slicer's fractional segments, whose values are shares of a voxel and no labels."""
    for key in ("Segmentation_SourceRepresentation", "Segmentation_MasterRepresentation"):
        if key in image.GetMetaDataKeys() and "fractional" in image.GetMetaData(key).lower():
            raise DsirError(f"{path} holds fractional segments, no labels; export them as a binary labelmap.")


def _in_words(head: bytes) -> bool:
    """Whether a file begins as NRRD or MetaImage."""
    return head.startswith(b"NRRD") or b"ndims" in head[:4096].lower()


def _fault(path: Path, message: str) -> DsirError:
    """ITK says what is wrong in words only."""
    text = message.lower()
    if any(word in text for word in ("expected", "fread", "read completely", "cannot be read", "inflate", "truncat")):
        return DsirError(f"{path} is damaged: the file ends early or its compression is broken.")
    if "spacing" in text or "determinant" in text or "direction" in text:
        return DsirError(f"{path} is damaged: by its header its voxels have no size, or two of its axes are one.")
    return NotAnImage(f"{path} is not an image that can be read (.nii, .nii.gz, .nrrd, .mha, .mhd or DICOM).")

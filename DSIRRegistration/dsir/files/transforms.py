"""Transforms in files: ITK's .h5, .tfm, .txt, .mat (LPS, by SimpleITK), fields as images, DICOM's objects."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import DsirError, NotAnImage, TransformError
from ..quiet import muted, silent_end
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from . import itk
from .atomic import complete_file, reserve
from .dicom_registration import Frames, is_registration, read_registration
from .displacements import CONVENTIONS, Convention, ask_unless_said, nifti_readings
from .headers import NUMBER, check_there, head_of, nrrd_fields
from .images import suffix
from .itk_containers import check_hdf5, check_matlab, check_parameters
from .itk_transforms import as_field, check_millimetres, composite_to_itk, from_itk
from .positions import as_displacements
from .text_forms import unit

ITK_FILES = (".h5", ".hdf5", ".tfm", ".txt", ".mat")


def write_transform(path: str | Path, transform: Transform) -> None:
    """Write a fixed-to-moving transform as SimpleITK, Slicer and ITK tools read it (``.h5`` or ``.tfm``, LPS).

    One part is written as itself (displacement field or affine), several as a composite. Lattices are made right-handed
    on the way.

    Raises:
        DsirError: another suffix, or the file cannot be written.
    """
    if suffix(path) not in (".h5", ".hdf5", ".tfm", ".txt"):
        raise DsirError(f"{path}: transforms are written as .h5 or .tfm (displacement fields as .nii.gz).")
    parts = [part for part in transform.parts if not (isinstance(part, Linear) and part.is_identity)]
    whole = composite_to_itk(transform)
    with complete_file(path) as temporary:
        reserve(temporary.parent, sum(_size(part, suffix(path)) for part in parts))
        try:
            with muted():
                sitk.WriteTransform(whole, str(temporary))
        except RuntimeError:  # ITK gives no reason
            raise DsirError(f"{path} cannot be written: the disk may be full.") from None


def write_matrix(path: str | Path, matrix: np.ndarray) -> None:
    """Write a (4, 4) as four lines of text, fixed to moving, RAS mm."""
    with complete_file(path) as temporary:
        np.savetxt(temporary, matrix, fmt="%.12g")


def read_transform(path: str | Path, *, convention: Convention | None = None) -> Transform:
    """A fixed-to-moving transform from any file this product, ITK, ANTs, elastix, NiftyReg or Slicer writes, or a DICOM
    registration object.

    Composites of any depth become one chain; Euler, versor, similarity and translation transforms become matrices;
    B-splines are sampled to a displacement field (at most 2 mm apart). Outside a field's lattice the edge displacement
    continues, where ITK stops moving points. What each program means: ``Docs/transforms.md``.

    Args:
        convention: what the vectors of a field mean where its file does not say it.

    Raises:
        DsirError: the file is missing, damaged, 2-D, singular, of a kind that cannot be represented, or does not say
            what its vectors mean.
    """
    readings = transform_readings(path, convention=convention)
    ask_unless_said(Path(path), readings)
    return next(iter(readings.values()))


def read_field(path: str | Path, *, convention: Convention | None = None) -> DisplacementField:
    """A transform that is one displacement field.

    Raises:
        DsirError: as :func:`read_transform`, or it is linear, or has several parts.
    """
    parts = read_transform(path, convention=convention).parts
    if len(parts) != 1 or not isinstance(parts[0], DisplacementField):
        raise TransformError(f"{path} is not one displacement field.")
    return parts[0]


def transform_readings(
    path: str | Path, *, convention: Convention | None = None, frames: Frames | None = None
) -> dict[Convention, Transform]:
    """What a file may mean: one transform, or two where a field does not say whether its vectors are LPS or RAS.

    Args:
        frames: of the two scans, for a DICOM registration object that holds several.

    Raises: as :func:`read_transform`, which asks in the second case.
    """
    path = Path(path)
    check_there(path)
    if path.is_dir():
        hint = f", {path / 'transform.h5'}" if (path / "transform.h5").is_file() else ""
        raise TransformError(f"{path} is a folder; give the file of a transform{hint}.")
    if is_registration(path):
        return {"lps": read_registration(path, frames)}
    kind = suffix(path)
    if kind in (".nii", ".nii.gz", ".hdr", ".img"):
        return {name: Transform((field,)) for name, field in nifti_readings(path, convention).items()}
    if kind in FREESURFER:
        raise TransformError(f"{path} is a transform of FreeSurfer or MNI, which is not read; {FREESURFER[kind]}.")
    if kind not in ITK_FILES:
        return {name: Transform((field,)) for name, field in _itk_fields(path, convention).items()}
    matrix = _bare_matrix(path)
    if matrix is not None:
        return {convention or "ras": _told_matrix(path, matrix, convention)}
    return {"lps": _itk_transform(path)}


FREESURFER = {
    ".lta": "write it as ITK's: lta_convert --inlta FILE --outitk OUT.txt",
    ".dat": "write it as ITK's: lta_convert --inreg FILE --src MOVING --trg FIXED --outitk OUT.txt",
    ".m3z": "write it as a field in RAS: mri_warp_convert --inm3z FILE --outras OUT.nii.gz",
    ".xfm": "write it as ITK's: lta_convert --inmni FILE --src MOVING --trg FIXED --outitk OUT.txt",
}
"""Transforms that are not read, and how FreeSurfer turns them into what is."""


def _itk_transform(path: Path) -> Transform:
    if path.read_bytes()[:4096].lstrip().startswith((b"(", b"//")):
        raise TransformError(
            f"{path} is a parameter file of elastix; write its displacements first (transformix -def all), or let "
            'elastix write ITK\'s own file: (WriteITKCompositeTransform "true").'
        )
    check = {".h5": check_hdf5, ".hdf5": check_hdf5, ".mat": check_matlab}.get(suffix(path), check_parameters)
    try:
        check(path)
    except DsirError as error:
        raise TransformError(str(error)) from None
    try:
        with muted():
            transform = sitk.ReadTransform(str(path))
        if transform.GetDimension() != 3:
            raise TransformError(f"{path} holds a {transform.GetDimension()}-D transform; a 3-D one is needed.")
        return Transform(tuple(from_itk(transform, path)))
    except KeyError:  # a kind that SimpleITK writes and has no class for (ComposeScaleSkewVersor3DTransform)
        said = f"{path} holds a kind of transform that SimpleITK does not know; write it as an affine one."
        raise TransformError(said) from None
    except (RuntimeError, UnicodeDecodeError):  # SimpleITK cannot say its own sentence where it holds a spoiled name
        if check is check_hdf5:
            silent_end()
        raise TransformError(_unread(path)) from None
    except TransformError as error:
        raise error if str(path) in str(error) else TransformError(f"{path}: {error}") from None


def _unread(path: Path) -> str:
    """Why ITK has no transform of a file: the kind that its text names, where it names one."""
    named = re.search(rb"^Transform:\s*(\w{1,60})", path.read_bytes()[:4096], re.MULTILINE)
    if named:
        return f"{path} holds a {named[1].decode()}, or damaged numbers of one; that cannot be read."
    return f"{path} is not a transform that can be read (.h5, .tfm, .mat, .nii.gz, .nrrd)."


def _itk_fields(path: Path, convention: Convention | None) -> dict[Convention, DisplacementField]:
    """A vector image of ITK: LPS, but where an NRRD file counts its space otherwise and so may mean its vectors."""
    try:
        image = itk.read_image(path)
    except NotAnImage:
        raise TransformError(f"{path} is not a transform that can be read (.h5, .tfm, .mat, .nii.gz, .nrrd).") from None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 3:
        raise TransformError(f"{path} is not a displacement field: it has not three values a voxel of a 3-D grid.")
    check_millimetres(path, unit(path))
    values, affine = np.moveaxis(sitk.GetArrayViewFromImage(image), -1, 0).transpose(0, 3, 2, 1), itk.affine_of(image)
    moved = as_displacements(values, affine, path)
    if moved is not None:
        return {"ras": as_field(moved, affine, path, lps=False)}
    said: Convention | None = convention or ("lps" if _counts_in_lps(path) else None)
    wanted: tuple[Convention, ...] = (said,) if said else CONVENTIONS
    return {name: as_field(values, affine, path, lps=name == "lps") for name in wanted}


def _counts_in_lps(path: Path) -> bool:
    """Whether a file's vectors can only be LPS: an NRRD that names another space, or turns its vectors by a measurement
    frame, may count them so, or as ITK takes them."""
    if suffix(path) not in (".nrrd", ".nhdr"):
        return True
    fields = nrrd_fields(head_of(path))
    frame = [float(number) for number in re.findall(NUMBER, fields.get("measurement frame", ""))]
    turned = len(frame) == 9 and not np.allclose(frame, np.eye(3).ravel())
    return fields.get("space", "").lower() in ("", "left-posterior-superior", "lps") and not turned


def _bare_matrix(path: Path) -> np.ndarray | None:
    """(4, 4) of a text file of sixteen numbers, as NiftyReg and FSL write; None for any other file."""
    if path.stat().st_size > 4096:
        return None
    try:
        matrix = np.array([[float(word) for word in line.split()] for line in path.read_text().splitlines() if line])
    except ValueError:
        return None
    return matrix if matrix.shape == (4, 4) and np.isfinite(matrix).all() else None


def _told_matrix(path: Path, matrix: np.ndarray, convention: Convention | None) -> Transform:
    """A bare matrix as the user says: nothing in it tells the coordinates, and FSL's are neither LPS nor RAS."""
    if convention is None:
        raise TransformError(
            f"{path} is a bare 4 x 4 matrix, which does not say its coordinates. One of NiftyReg is read with "
            "--field-convention ras, one in LPS mm with lps (fixed to moving both). One of FSL counts in scaled "
            "voxels: turn it into ITK's first, as with c3d_affine_tool -ref FIXED -src MOVING FILE -fsl2ras -oitk OUT."
        )
    if not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise TransformError(f"{path} is no affine: the last line of its matrix is not 0 0 0 1.")
    try:
        return Transform((Linear(matrix if convention == "ras" else itk.LPS @ matrix @ itk.LPS),))
    except DsirError as error:
        raise TransformError(f"{path}: {error}") from None


def _size(part: Linear | DisplacementField, kind: str) -> int:
    """Bytes a part takes in a file: doubles in HDF5, up to 25 letters a number as text."""
    numbers = part.vectors.numel() if isinstance(part, DisplacementField) else 12
    return 8192 + numbers * (8 if kind in (".h5", ".hdf5") else 25)

"""Where a NIfTI file lies: its sform, its qform, or neither; where they disagree ITK's choice counts, as in Slicer.

A result that is opened beside its inputs in Slicer, ITK, SimpleITK, ANTs or elastix then fits.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np

from ..errors import DsirError
from ..geometry.lattice import Lattice

UNITS = {"meter": ("metres", 1000.0), "micron": ("microns", 1e-3)}
"""nibabel's name of a header's unit to ours, and its millimetres; every other is taken for millimetres, as ITK does."""

APART = 0.01
"""mm at the corners of a volume from which on two forms disagree."""

SAME_SIZE = 1e-3
"""Share of a voxel's side within which a header's voxel sizes and its form agree."""


def affines(file: nib.spatialimages.SpatialImage, path: Path) -> list[np.ndarray]:
    """Index-to-RAS affines in mm, the preferred one first: a qform, which cannot shear, stands behind an sform."""
    header, millimetres = file.header, _millimetres(file)
    found = [file.affine]
    if isinstance(header, nib.Nifti1Header) and header["sform_code"] > 0 and header["qform_code"] > 0:
        found.append(header.get_qform())
    with np.errstate(invalid="ignore"):  # an sform of NaN or infinity gives way to the qform
        found = [millimetres @ np.asarray(a, dtype=np.float64) for a in found]
    by_itk = _itk_affine(path) if _is_ambiguous(file) else None
    return found if by_itk is None else [by_itk, *found]


def load(path: Path) -> nib.spatialimages.SpatialImage:
    """A file that nibabel knows to be a volume; its voxels are not read yet.

    Raises:
        nib.filebasedimages.ImageFileError: it is none.
    """
    with _unlogged():
        file = nib.load(path)
    if not isinstance(file, nib.spatialimages.SpatialImage):
        raise nib.filebasedimages.ImageFileError(f"{path} holds no volume")
    return file


@contextmanager
def _unlogged() -> Iterator[None]:
    """nibabel prints what it finds odd in a header; what matters of it we say in sentences."""
    logger = nib.imageglobals.logger
    was, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was


def form_remarks(path: Path) -> tuple[str, ...]:
    """What a reader must know of where a NIfTI file lies; no sentence where it is in mm and its forms agree."""
    try:
        file = load(path)
    except Exception:  # whoever reads its voxels says what is wrong with it
        return ()
    return (*_unit_remarks(file, path), *_place_remarks(file, path))


def unit(header: nib.spatialimages.SpatialHeader) -> str:
    """``"metres"`` or ``"microns"`` where a header says that its lengths are; else empty."""
    return _unit(header)[0]


def _unit_remarks(file: nib.spatialimages.SpatialImage, path: Path) -> tuple[str, ...]:
    name, millimetres = _unit(file.header)
    if not name:
        return ()
    size = " x ".join(f"{millimetres * float(zoom):.3g}" for zoom in file.header.get_zooms()[:3])
    return (f"The header of {path.name} is in {name}: its voxels were read as {size} mm, as ITK and Slicer do.",)


def _place_remarks(file: nib.spatialimages.SpatialImage, path: Path) -> tuple[str, ...]:
    if isinstance(file, nib.MGHImage) and not _good_ras(file):
        return (
            f"{path.name} does not say where it lies or how large its voxels are (its goodRASFlag is 0): that is made "
            "up, as FreeSurfer does (coronal slices, voxels of 1 mm, its middle at the origin).",
        )
    if not _is_ambiguous(file):
        return ()
    if not np.isfinite(file.affine).all():
        return (f"{path.name} holds an sform that is no numbers; taken was the qform, as ITK and Slicer do.",)
    found, by_itk = affines(file, path), _itk_affine(path)
    taken = next((affine for affine in found if _fits_a_lattice(affine)), found[-1])
    sform, shape = _millimetres(file) @ file.affine, file.shape
    off = _distance(taken, sform, shape)
    others = f"see it {off:.1f} mm off" if off > APART else "do so too"
    if _codes(file) == 1:
        own, by_form, read = (
            " x ".join(f"{s:.4g}" for s in sizes) for sizes in (_stored(file), _sizes(sform), _sizes(taken))
        )
        form = "sform" if _code(file, "sform_code") > 0 else "qform"
        said = f"{path.name} names voxels of {own} mm (pixdim)" + (f", its {form} {by_form} mm" if off > APART else "")
        itk = " as ITK and Slicer do," if by_itk is not None else ""
        return (f"{said}. It was read{itk} with voxels of {read} mm; nibabel and FSL {others}.",)
    if _code(file, "sform_code") == 0:
        name = "the place that ITK and Slicer give it" if by_itk is not None else "nibabel's guess"
        nifti = isinstance(file.header, nib.Nifti1Header)
        why = "its sform and qform codes are 0" if nifti else "Analyze has no word for it"
        size = "" if _has_size(file) else " or how large its voxels are"
        said = (
            f"{path.name} does not say where it lies{size} ({why}): that is made up, and left and right may be changed "
            "over"
        )
    else:
        name = "the sform" if _distance(taken, sform, shape) < APART else "the qform"
        said = f"{path.name} says twice where it lies, and its sform and qform do not agree"
        if np.isfinite(_forms_apart(file)):
            said = said.replace("do not agree", f"are up to {_forms_apart(file):.1f} mm apart")
        if not _has_size(file):
            said += " (the qform lacks a voxel size, for which ITK puts 1 mm)"
    itk = "" if "ITK" in name else ", as ITK and Slicer do" if by_itk is not None else ", and ITK may refuse the file"
    return (f"{said}. Taken was {name}{itk}; nibabel and FSL {others}.",)


def _code(file: nib.spatialimages.SpatialImage, name: str) -> int:
    return int(file.header[name]) if isinstance(file.header, nib.Nifti1Header) else 0


def _is_ambiguous(file: nib.spatialimages.SpatialImage) -> bool:
    header = file.header
    if not isinstance(header, nib.AnalyzeHeader) or len(file.shape) < 3:
        return False
    if not isinstance(header, nib.Nifti1Header):
        return True  # Analyze has no forms
    if _codes(file) == 1:
        own, by_form = _stored(file), _sizes(file.affine)
        known = bool(np.isfinite(own).all() and np.isfinite(by_form).all())  # what is no number is refused
        return known and not np.allclose(own, by_form, rtol=SAME_SIZE)
    return _codes(file) == 0 or not _forms_apart(file) <= APART  # nor where one is NaN


def _codes(file: nib.spatialimages.SpatialImage) -> int:
    """How many of its two forms count."""
    return sum(_code(file, name) > 0 for name in ("sform_code", "qform_code"))


def _sizes(affine: np.ndarray) -> np.ndarray:
    """mm of a voxel's sides."""
    return np.linalg.norm(affine[:3, :3], axis=0)


def _stored(file: nib.spatialimages.SpatialImage) -> np.ndarray:
    """The voxel sizes in the file's header, which ITK goes by beside an sform, too; the image's own is mended."""
    kind = type(file.header)
    assert issubclass(kind, nib.AnalyzeHeader)  # as is NIfTI's
    stored = kind.from_fileobj(io.BytesIO(_first_bytes(file)), check=False)
    return np.asarray(stored["pixdim"][1:4], dtype=np.float64)


def _has_size(file: nib.spatialimages.SpatialImage) -> bool:
    """Whether a header's voxel sizes are all there, whatever its forms say."""
    sizes = np.abs(_stored(file))
    return bool((np.isfinite(sizes) & (sizes > 0)).all())


def _good_ras(file: nib.MGHImage) -> bool:
    """FreeSurfer's goodRASFlag, which nibabel sets where it is not."""
    return _first_bytes(file)[28:30] != b"\0\0"


def _first_bytes(file: nib.spatialimages.SpatialImage) -> bytes:
    with file.file_map.get("header", file.file_map["image"]).get_prepare_fileobj("rb") as opened:
        return bytes(opened.read(1024))


def _forms_apart(file: nib.spatialimages.SpatialImage) -> float:
    header = file.header
    if not isinstance(header, nib.Nifti1Header):
        return 0.0
    with np.errstate(all="ignore"):
        try:
            return _distance(header.get_sform(), header.get_qform(), file.shape)
        except (nib.spatialimages.HeaderDataError, np.linalg.LinAlgError, ValueError):
            return np.inf


def _distance(a: np.ndarray, b: np.ndarray, shape: tuple[int, ...]) -> float:
    """mm between the corners of a volume by two affines, at most."""
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=np.float64)
    corners[:, :3] *= np.array(shape[:3]) - 1
    return float(np.abs(np.linalg.norm(((a - b) @ corners.T)[:3], axis=0)).max())


def _itk_affine(path: Path) -> np.ndarray | None:
    """As ITK takes the file; None where it refuses (a sheared form)."""
    from . import itk  # SimpleITK takes a third of a second to load, and most files do without

    found = itk.affine_in_file(path)
    return found if found is not None and _fits_a_lattice(found) else None


def _fits_a_lattice(affine: np.ndarray) -> bool:
    try:
        Lattice((2, 2, 2), affine)
    except DsirError:
        return False
    return True


def _millimetres(file: nib.spatialimages.SpatialImage) -> np.ndarray:
    scale = _unit(file.header)[1]
    return np.diag([scale, scale, scale, 1.0])


def _unit(header: nib.spatialimages.SpatialHeader) -> tuple[str, float]:
    """Its name, empty for millimetres, and how many millimetres it is."""
    try:
        said = header.get_xyzt_units()[0] if isinstance(header, nib.Nifti1Header) else "mm"
    except KeyError:  # a code that NIfTI does not know
        said = "mm"
    return UNITS.get(said, ("", 1.0))

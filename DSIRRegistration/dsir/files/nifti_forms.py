"""Where a NIfTI file lies: its sform, its qform, or neither; where they disagree ITK's choice counts, as in Slicer.

A result that is opened beside its inputs in Slicer, ITK, SimpleITK, ANTs or elastix then fits.
"""

from __future__ import annotations

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


def affines(file: nib.spatialimages.SpatialImage, path: Path) -> list[np.ndarray]:
    """Index-to-RAS affines in mm, the preferred one first: a qform, which cannot shear, stands behind an sform."""
    header, millimetres = file.header, _millimetres(file)
    found = [file.affine]
    if isinstance(header, nib.Nifti1Header) and header["sform_code"] > 0 and header["qform_code"] > 0:
        found.append(header.get_qform())
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
    if not _is_ambiguous(file):
        return ()
    found, by_itk = affines(file, path), _itk_affine(path)
    taken = next((affine for affine in found if _fits_a_lattice(affine)), found[-1])
    sform, shape = _millimetres(file) @ file.affine, file.shape
    if _code(file, "sform_code") == 0:
        name = "the place that ITK and Slicer give it" if by_itk is not None else "nibabel's guess"
        said = (
            f"{path.name} does not say where it lies (its sform and qform codes are 0): its place is made up, and left "
            "and right may be changed over"
        )
    else:
        name = "the sform" if _distance(taken, sform, shape) < APART else "the qform"
        said = (
            f"{path.name} says twice where it lies, and its sform and qform are up to {_forms_apart(file):.1f} mm apart"
        )
    itk = "" if "ITK" in name else ", as ITK and Slicer do" if by_itk is not None else ", and ITK may refuse the file"
    off = _distance(taken, sform, shape)
    others = f"see it {off:.1f} mm off" if off > APART else "do so too"
    return (f"{said}. Taken was {name}{itk}; nibabel and FSL {others}.",)


def _code(file: nib.spatialimages.SpatialImage, name: str) -> int:
    return int(file.header[name]) if isinstance(file.header, nib.Nifti1Header) else 0


def _is_ambiguous(file: nib.spatialimages.SpatialImage) -> bool:
    header = file.header
    if not isinstance(header, nib.AnalyzeHeader) or len(file.shape) < 3:
        return False
    if not isinstance(header, nib.Nifti1Header):
        return True  # Analyze has no forms
    sform, qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    return (not sform and not qform) or (sform and qform and _forms_apart(file) > APART)


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

"""Where a NIfTI file lies: its sform, its qform, or neither; where they disagree ITK's choice counts, as in Slicer.

A result that is opened beside its inputs in Slicer, ITK, SimpleITK, ANTs or elastix then fits.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
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


@dataclass(frozen=True, eq=False)
class NiftiFile:
    """A file that nibabel knows to be a volume; what its header says is looked up once.

    Attributes:
        path: of it, for sentences.
        image: as nibabel has it; its voxels are not read yet.
    """

    path: Path
    image: nib.spatialimages.SpatialImage

    @staticmethod
    def open(path: Path) -> NiftiFile:
        """As :func:`load`, which says what is raised."""
        return NiftiFile(path, load(path))

    @property
    def header(self) -> nib.spatialimages.SpatialHeader:
        """As nibabel has it: mended where it is odd."""
        return self.image.header

    @cached_property
    def stored(self) -> nib.AnalyzeHeader:
        """As it stands in the file, by which ITK goes, of NIfTI and Analyze."""
        kind = type(self.header)
        assert issubclass(kind, nib.AnalyzeHeader)  # as is NIfTI's
        return kind.from_fileobj(io.BytesIO(self._first_bytes), check=False)

    @cached_property
    def affines(self) -> list[np.ndarray]:
        """Index-to-RAS affines in mm, the preferred one first: a qform, which cannot shear, stands behind an sform."""
        found = [self.image.affine]
        if isinstance(self.header, nib.Nifti1Header) and self._codes == 2:
            found.append(self.header.get_qform())
        with np.errstate(invalid="ignore"):  # an sform of NaN or infinity gives way to the qform
            found = [self._millimetres @ np.asarray(a, dtype=np.float64) for a in found]
        by_itk = self._by_itk if self._ambiguous else None
        return found if by_itk is None else [by_itk, *found]

    @property
    def unit(self) -> str:
        """``"metres"`` or ``"microns"`` where its header says that its lengths are; else empty."""
        return self._unit[0]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of where it lies; no sentence where it is in mm and its forms agree."""
        if not self.unit:
            return self._place_remarks
        size = " x ".join(f"{self._unit[1] * float(zoom):.3g}" for zoom in self.header.get_zooms()[:3])
        said = f"The header of {self.path.name} is in {self.unit}: its voxels were read as {size} mm"
        return (f"{said}, as ITK and Slicer do.", *self._place_remarks)

    @property
    def _place_remarks(self) -> tuple[str, ...]:
        name = self.path.name
        if isinstance(self.image, nib.MGHImage) and self._first_bytes[28:30] == b"\0\0":  # nibabel sets the flag itself
            return (
                f"{name} does not say where it lies or how large its voxels are (its goodRASFlag is 0): that is made "
                "up, as FreeSurfer does (coronal slices, voxels of 1 mm, its middle at the origin).",
            )
        if not self._ambiguous:
            return ()
        if not np.isfinite(self.image.affine).all():
            return (f"{name} holds an sform that is no numbers; taken was the qform, as ITK and Slicer do.",)
        by_itk = self._by_itk is not None
        taken = next((affine for affine in self.affines if _fits_a_lattice(affine)), self.affines[-1])
        sform = self._millimetres @ self.image.affine
        off = _distance(taken, sform, self.image.shape)
        others = f"see it {off:.1f} mm off" if off > APART else "do so too"
        if self._codes == 1:
            own, by_form, read = (
                " x ".join(f"{s:.4g}" for s in sizes) for sizes in (self._stored_sizes, _sizes(sform), _sizes(taken))
            )
            form = "sform" if self._code("sform_code") > 0 else "qform"
            said = f"{name} names voxels of {own} mm (pixdim)" + (f", its {form} {by_form} mm" if off > APART else "")
            itk = " as ITK and Slicer do," if by_itk else ""
            return (f"{said}. It was read{itk} with voxels of {read} mm; nibabel and FSL {others}.",)
        if self._code("sform_code") == 0:
            chosen = "the place that ITK and Slicer give it" if by_itk else "nibabel's guess"
            nifti = isinstance(self.header, nib.Nifti1Header)
            why = "its sform and qform codes are 0" if nifti else "Analyze has no word for it"
            size = "" if self._has_size else " or how large its voxels are"
            said = (
                f"{name} does not say where it lies{size} ({why}): that is made up, and left and right may be changed "
                "over"
            )
        else:
            chosen = "the sform" if _distance(taken, sform, self.image.shape) < APART else "the qform"
            said = f"{name} says twice where it lies, and its sform and qform do not agree"
            if np.isfinite(self._forms_apart):
                said = said.replace("do not agree", f"are up to {self._forms_apart:.1f} mm apart")
            if not self._has_size:
                said += " (the qform lacks a voxel size, for which ITK puts 1 mm)"
        itk = "" if "ITK" in chosen else ", as ITK and Slicer do" if by_itk else ", and ITK may refuse the file"
        return (f"{said}. Taken was {chosen}{itk}; nibabel and FSL {others}.",)

    @cached_property
    def _ambiguous(self) -> bool:
        """Whether ITK may see it elsewhere than nibabel does."""
        if not isinstance(self.header, nib.AnalyzeHeader) or len(self.image.shape) < 3:
            return False
        if not isinstance(self.header, nib.Nifti1Header):
            return True  # Analyze has no forms
        if self._codes == 1:
            own, by_form = self._stored_sizes, _sizes(self.image.affine)
            known = bool(np.isfinite(own).all() and np.isfinite(by_form).all())  # what is no number is refused
            return known and not np.allclose(own, by_form, rtol=SAME_SIZE)
        return self._codes == 0 or not self._forms_apart <= APART  # nor where one is NaN

    def _code(self, name: str) -> int:
        return int(self.header[name]) if isinstance(self.header, nib.Nifti1Header) else 0

    @property
    def _codes(self) -> int:
        """How many of its two forms count."""
        return sum(self._code(name) > 0 for name in ("sform_code", "qform_code"))

    @property
    def _stored_sizes(self) -> np.ndarray:
        return np.asarray(self.stored["pixdim"][1:4], dtype=np.float64)

    @property
    def _has_size(self) -> bool:
        """Whether a header's voxel sizes are all there, whatever its forms say."""
        sizes = np.abs(self._stored_sizes)
        return bool((np.isfinite(sizes) & (sizes > 0)).all())

    @cached_property
    def _first_bytes(self) -> bytes:
        files = self.image.file_map
        with files.get("header", files["image"]).get_prepare_fileobj("rb") as opened:
            return bytes(opened.read(1024))

    @cached_property
    def _forms_apart(self) -> float:
        header = self.header
        if not isinstance(header, nib.Nifti1Header):
            return 0.0
        with np.errstate(all="ignore"):
            try:
                return _distance(header.get_sform(), header.get_qform(), self.image.shape)
            except (nib.spatialimages.HeaderDataError, np.linalg.LinAlgError, ValueError):
                return np.inf

    @cached_property
    def _by_itk(self) -> np.ndarray | None:
        """As ITK takes the file; None where it refuses (a sheared form)."""
        from . import itk  # SimpleITK takes a third of a second to load, and most files do without

        found = itk.affine_in_file(self.path)
        return found if found is not None and _fits_a_lattice(found) else None

    @property
    def _millimetres(self) -> np.ndarray:
        scale = self._unit[1]
        return np.diag([scale, scale, scale, 1.0])

    @cached_property
    def _unit(self) -> tuple[str, float]:
        """Its name, empty for millimetres, and how many millimetres it is."""
        try:
            said = self.header.get_xyzt_units()[0] if isinstance(self.header, nib.Nifti1Header) else "mm"
        except KeyError:  # a code that NIfTI does not know
            said = "mm"
        return UNITS.get(said, ("", 1.0))


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
    """:attr:`NiftiFile.remarks` of a file; none where it cannot be read."""
    try:
        file = NiftiFile.open(path)
    except Exception:  # whoever reads its voxels says what is wrong with it
        return ()
    return file.remarks


def _sizes(affine: np.ndarray) -> np.ndarray:
    """mm of a voxel's sides."""
    return np.linalg.norm(affine[:3, :3], axis=0)


def _distance(a: np.ndarray, b: np.ndarray, shape: tuple[int, ...]) -> float:
    """mm between the corners of a volume by two affines, at most."""
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=np.float64)
    corners[:, :3] *= np.array(shape[:3]) - 1
    return float(np.abs(np.linalg.norm(((a - b) @ corners.T)[:3], axis=0)).max())


def _fits_a_lattice(affine: np.ndarray) -> bool:
    try:
        Lattice((2, 2, 2), affine)
    except DsirError:
        return False
    return True

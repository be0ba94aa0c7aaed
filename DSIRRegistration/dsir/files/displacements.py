"""Displacement fields as NIfTI images: what their numbers mean is read from the header, never from the file's name.

NIfTI has two intents for vectors. ITK writes 1007 (vector) and leaves its LPS components as they are, and so do ANTs,
elastix and SimpleITK; 1006 (displacement vector) is RAS, as the standard has it, as Slicer and we write it and as ITK
reads it. NiftyReg and SPM write 1007 too, but name it, and hold positions in RAS. FSL has intents of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np

from ..errors import DsirError, TransformError
from ..transforms.field import DisplacementField
from . import nifti
from .atomic import complete_file
from .itk_transforms import as_field
from .nifti_forms import load, unit

Convention = Literal["lps", "ras"]
CONVENTIONS: tuple[Convention, ...] = ("lps", "ras")

DISPLACEMENT, VECTOR = 1006, 1007
FSL = {2006, 2007, 2008, 2009, 2016, 2017, 2018}
NIFTYREG = ("positions", "displacements", "splines", "velocities", "velocities", "splines of velocities", "splines")
"""By the first intent parameter of a file that NiftyReg names ``NREG_TRANS``."""

UNSAID = (
    "{path} does not say whether its vectors are LPS (as ITK, ANTs and elastix write them) or RAS (as Slicer and dsir "
    "write them in NIfTI); say --field-convention lps or --field-convention ras."
)


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


def nifti_readings(path: Path, convention: Convention | None = None) -> dict[Convention, DisplacementField]:
    """What a displacement field (I, J, K[, 1], 3) may mean: one reading where its header says so, else both.

    Args:
        convention: the user's word, which stands above the header.

    Raises:
        DsirError: not NIfTI, damaged, not three components, not finite, not in mm, or no displacement.
    """
    values, affines = nifti.read(path)
    if values.ndim == 5 and values.shape[3] == 1:
        values = values[:, :, :, 0]
    if values.ndim != 4 or values.shape[-1] != 3:
        raise TransformError(f"{path} is not a displacement field: its shape is {' x '.join(map(str, values.shape))}.")
    header, values = load(path).header, np.moveaxis(values, -1, 0)
    if not isinstance(header, nib.Nifti1Header):  # Analyze and FreeSurfer say nothing of vectors
        header = nib.Nifti1Header()
    if said := unit(header):
        raise TransformError(f"{path} is in {said} and does not say whether its vectors are so too; write it in mm.")
    intent = int(header["intent_code"])
    if intent in FSL:
        raise TransformError(
            f"{path} is a warp of FSL, which counts in the scaled voxels of both its images; turn it into one in RAS "
            "first, as with: wb_command -convert-warpfield -from-fnirt WARP MOVING -to-world OUT.nii.gz."
        )
    if _holds_positions(path, header, values, affines[0]):
        values, convention = values - _positions(values.shape[1:], affines[0]), "ras"
    convention = convention or _said(header, intent)
    wanted: tuple[Convention, ...] = (convention,) if convention else CONVENTIONS
    return {name: as_field(values, affines[0], path, lps=name == "lps") for name in wanted}


def _said(header: nib.Nifti1Header, intent: int) -> Convention | None:
    """What a header says of its vectors."""
    if intent == DISPLACEMENT or (intent == VECTOR and _name(header) == "NREG_TRANS"):
        return "ras"
    return "lps" if intent == VECTOR else None


def _holds_positions(path: Path, header: nib.Nifti1Header, values: np.ndarray, affine: np.ndarray) -> bool:
    """Whether the vectors say where a point lies and not how far it moves.

    Raises:
        TransformError: they are neither.
    """
    if _name(header) == "NREG_TRANS":
        kind = NIFTYREG[int(header["intent_p1"])] if 0 <= int(header["intent_p1"]) < len(NIFTYREG) else "something else"
        if kind not in NIFTYREG[:2]:
            raise TransformError(
                f"{path} holds {kind} of NiftyReg; write the deformation first: reg_transform -ref FIXED -def IN OUT."
            )
        return kind == "positions"
    if _name(header) == "Mapping":  # SPM's y_*.nii
        return True
    return int(header["intent_code"]) != DISPLACEMENT and _follow_places(values, affine)


def _follow_places(values: np.ndarray, affine: np.ndarray) -> bool:
    """Whether the vectors grow mm by mm with the RAS places that they stand at: read as displacements in LPS they would
    fold the body onto a line, so that they can only be positions."""
    thin = tuple(slice(None, None, max(1, n // 24)) for n in values.shape[1:])
    places = _positions(values.shape[1:], affine)[(slice(None), *thin)].reshape(3, -1)
    vectors = values[(slice(None), *thin)].reshape(3, -1).astype(np.float64)
    if not np.isfinite(vectors).all():
        return False
    places, vectors = places - places.mean(1, keepdims=True), vectors - vectors.mean(1, keepdims=True)
    square = (places**2).sum(1)
    slope = (vectors * places).sum(1) / np.maximum(square, 1e-12)
    rest = ((vectors - slope[:, None] * places) ** 2).sum(1)
    return bool((np.abs(slope - 1) < 0.3).all() and (rest < 0.1 * square).all())


def _positions(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """(3, I, J, K) RAS mm of the voxels."""
    index = np.indices(shape, dtype=np.float32)
    return np.einsum("ab,bijk->aijk", affine[:3, :3], index) + affine[:3, 3].reshape(3, 1, 1, 1)


def _name(header: nib.Nifti1Header) -> str:
    return bytes(header["intent_name"].tobytes()).split(b"\0")[0].decode("latin-1").strip()


def ask_unless_said(path: Path, readings: Mapping[Convention, object]) -> None:
    """Raise where a file can be read in two ways.

    Raises:
        DsirError: it can; the sentence says how to answer.
    """
    if len(readings) > 1:
        raise DsirError(UNSAID.format(path=path))

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
from .images import NIFTI, suffix
from .itk_transforms import as_field, check_millimetres
from .nifti_forms import load
from .positions import as_displacements, places_of

Convention = Literal["lps", "ras"]
CONVENTIONS: tuple[Convention, ...] = ("lps", "ras")

DISPLACEMENT, VECTOR = 1006, 1007
FSL = {2006, 2007, 2008, 2009, 2016, 2017, 2018}
NIFTYREG = ("positions", "displacements", "splines", "velocities", "velocities", "splines of velocities", "splines")
"""By the first intent parameter of a file that NiftyReg names ``NREG_TRANS``."""

OURS = "DSIR displacement fixed to moving, RAS mm"

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
            description=OURS,
        )


def by_dsir(path: str | Path) -> bool:
    """Whether a field says that :func:`write_displacement_nifti` wrote it."""
    header = load(Path(path)).header if suffix(path) in NIFTI else None
    return isinstance(header, nib.Nifti1Header) and header["descrip"].tobytes().startswith(OURS.encode())


def nifti_readings(path: Path, convention: Convention | None = None) -> dict[Convention, DisplacementField]:
    """What a displacement field (I, J, K[, 1], 3) may mean: one reading where its header says so, else both.

    Args:
        convention: the user's word, which stands above the header.

    Raises:
        DsirError: not NIfTI, damaged, not three components, not finite, not in mm, or no displacement.
    """
    values, file = nifti.read(path)
    if values.ndim == 5 and values.shape[3] == 1:
        values = values[:, :, :, 0]
    if values.ndim != 4 or values.shape[-1] != 3:
        raise TransformError(f"{path} is not a displacement field: its shape is {' x '.join(map(str, values.shape))}.")
    header, affine, values = file.header, file.affines[0], np.moveaxis(values, -1, 0)
    if not isinstance(header, nib.Nifti1Header):  # Analyze and FreeSurfer say nothing of vectors
        header = nib.Nifti1Header()
    check_millimetres(path, file.unit)
    intent = int(header["intent_code"])
    if intent in FSL:
        raise TransformError(
            f"{path} is a warp of FSL, which counts in the scaled voxels of both its images; turn it into one in RAS "
            "first, as with: wb_command -convert-warpfield -from-fnirt WARP MOVING -to-world OUT.nii.gz."
        )
    moved = _moved(path, header, values, affine)
    if moved is not None:
        values, convention = moved, "ras"
    convention = convention or _said(header, intent)
    wanted: tuple[Convention, ...] = (convention,) if convention else CONVENTIONS
    return {name: as_field(values, affine, path, lps=name == "lps") for name in wanted}


def _said(header: nib.Nifti1Header, intent: int) -> Convention | None:
    """What a header says of its vectors."""
    if intent == DISPLACEMENT or (intent == VECTOR and _name(header) == "NREG_TRANS"):
        return "ras"
    return "lps" if intent == VECTOR else None


def _moved(path: Path, header: nib.Nifti1Header, values: np.ndarray, affine: np.ndarray) -> np.ndarray | None:
    """Displacements in RAS of vectors that say where a point lies; None where they say how far it moves.

    Raises:
        TransformError: they are neither, or the header says that they are displacements.
    """
    if _name(header) == "NREG_TRANS":
        kind = NIFTYREG[int(header["intent_p1"])] if 0 <= int(header["intent_p1"]) < len(NIFTYREG) else "something else"
        if kind not in NIFTYREG[:2]:
            raise TransformError(
                f"{path} holds {kind} of NiftyReg; write the deformation first: reg_transform -ref FIXED -def IN OUT."
            )
        return values - places_of(values.shape[1:], affine) if kind == "positions" else None
    if b"flow field" in header["descrip"].tobytes().lower():
        raise TransformError(
            f"{path} holds a flow of SPM's DARTEL, which has to be followed first: write its deformation (y_*.nii) by "
            "SPM's Deformations."
        )
    if _name(header) == "Mapping":  # SPM's y_*.nii
        return values - places_of(values.shape[1:], affine)
    if int(header["intent_code"]) != DISPLACEMENT:
        return as_displacements(values, affine, path)
    if as_displacements(values, affine, path) is not None:
        raise TransformError(f"{path} says that it holds displacements, but its vectors are positions.")
    return None


def _name(header: nib.Nifti1Header) -> str:
    return bytes(header["intent_name"].tobytes()).split(b"\0")[0].decode("latin-1").strip()


def ask_unless_said(path: Path, readings: Mapping[Convention, object]) -> None:
    """Raise where a file can be read in two ways.

    Raises:
        DsirError: it can; the sentence says how to answer.
    """
    if len(readings) > 1:
        raise DsirError(UNSAID.format(path=path))

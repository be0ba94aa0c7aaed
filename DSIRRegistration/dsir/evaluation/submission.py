"""Displacement fields as one hands them in to Learn2Reg: ``disp_XXXX_YYYY.nii.gz``, in voxels."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from ..errors import DsirError
from ..files import nifti
from ..files.atomic import complete_file
from ..files.nifti_forms import load
from .learn2reg import Task

KINDS = (".nii.gz", ".npz")


def file_of(folder: Path, task: Task) -> Path | None:
    """The field of a pair in a folder of them, by its short name or its long one; None where it is missing."""
    files = (folder / f"disp_{name}{kind}" for name in dict.fromkeys((task.name, task.full)) for kind in KINDS)
    return next((file for file in files if file.is_file()), None)


def read_submission(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """(I, J, K, 3) float32.

    Raises:
        DsirError: damaged, or not of ``shape`` (that of the fixed image).
    """
    try:
        if path.name.endswith(".npz"):
            with np.load(path) as file:
                values = file["arr_0"]
        else:
            values = np.asanyarray(load(path).dataobj)
    except (OSError, EOFError, ValueError, KeyError, nib.filebasedimages.ImageFileError):
        raise DsirError(f"{path} is damaged, or no displacement field.") from None
    if values.shape != (*shape, 3):
        raise DsirError(f"{path} has the shape {values.shape}; the field must have {(*shape, 3)}.")
    if not np.isfinite(values).all():
        raise DsirError(f"{path} holds values that are not finite.")
    return values.astype(np.float32)


def write_submission(folder: Path, task: Task, displacement: np.ndarray, affine: np.ndarray) -> None:
    """Write (I, J, K, 3) under the pair's short name."""
    folder.mkdir(parents=True, exist_ok=True)
    with complete_file(folder / f"disp_{task.name}.nii.gz") as temporary:
        nifti.write(temporary, displacement, affine, description="voxels")

"""A dose on the fixed scan, to look at: not validated for dose accumulation."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import torch

from ..errors import DsirError
from ..files.atomic import complete_file
from ..files.nifti import write
from ..geometry.image import Image
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..warp.images import warp_image

NOT_VALIDATED = "view only: resampled, not validated for dose accumulation"


def read_dose(path: str | Path) -> Image:
    """An RTDOSE grid in its own units (Gy, or relative).

    Raises:
        DsirError: not an RTDOSE, damaged, or a grid that is not even.
    """
    path = Path(path)
    if not path.is_file():
        raise DsirError(f"{path} does not exist.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path)
            kind = dataset.get("Modality")
            if kind == "RTDOSE":
                values = dataset.pixel_array.astype(np.float32) * float(dataset.DoseGridScaling)
                across = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
                position = np.array(dataset.ImagePositionPatient, dtype=float)
                rows, columns = (float(v) for v in dataset.PixelSpacing)
                offsets = np.array(dataset.GridFrameOffsetVector, dtype=float)
    except Exception:  # pydicom raises whatever its parsing stumbles over
        raise DsirError(f"{path} is damaged or not an RTDOSE.") from None
    if kind != "RTDOSE":
        raise DsirError(f"{path} is not an RTDOSE but {kind}.")
    steps = np.diff(offsets)
    if values.ndim != 3 or not len(steps) or np.ptp(steps) > 0.01 * abs(steps[0]) + 1e-3:
        raise DsirError(f"{path} holds a dose grid whose planes are not evenly spaced.")
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = across[0] * columns, across[1] * rows
    normal = np.cross(*across)
    first = 0.0 if abs(offsets[0]) < 1e-3 else offsets[0] - float(position @ normal)  # absolute positions are allowed
    affine[:3, 2], affine[:3, 3] = normal * steps.mean(), position + normal * first
    lattice = Lattice(values.shape[::-1], np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    return Image(torch.from_numpy(np.ascontiguousarray(values.transpose())), lattice)


def view_dose(dose: Image, transform: Transform, fixed: Lattice) -> Image:
    """The dose resampled over the fixed scan's box on a grid no coarser than its own; 0 where it has none."""
    grid = fixed.with_spacing(np.minimum(fixed.spacing, np.full(3, dose.lattice.spacing.min())))
    if np.prod(grid.shape) > 60_000_000:
        grid = fixed
    return warp_image(dose, transform, grid, fill=0.0)


def write_dose_view(path: str | Path, view: Image) -> None:
    """Write as NIfTI whose header says what it is not."""
    path = Path(path)
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise DsirError(f"{path}: the view of a dose is written as .nii or .nii.gz.")
    with complete_file(path) as temporary:
        write(temporary, view.data.numpy(), view.lattice.affine, description=NOT_VALIDATED)

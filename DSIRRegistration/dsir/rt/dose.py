"""A dose on the fixed scan, to look at: not validated for dose accumulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..dicom.dataset import number, numbers, read_object, text
from ..dicom.series import Series
from ..errors import DsirError
from ..files.atomic import complete_file
from ..files.nifti import write
from ..geometry.image import Image
from ..geometry.lattice import LPS, Lattice
from ..transforms.composite import Transform
from ..warp.images import warp_image

NOT_VALIDATED = "view only: resampled, not validated for dose accumulation"

WHOLE = ("PLAN", "MULTI_PLAN", "PLAN_OVERVIEW")
"""Dose Summation Types of everything that is given; a beam's, a brachytherapy source's or a fraction's is a part."""


def read_dose(path: str | Path) -> Image:
    """An RTDOSE grid in its own units (Gy, or relative).

    Raises:
        DsirError: not an RTDOSE, damaged, or a grid that is not even.
    """
    path = Path(path)
    dataset = read_object(path, "RTDOSE", "an RTDOSE")
    scaling = number(dataset, "DoseGridScaling")
    across = numbers(dataset, "ImageOrientationPatient", 6)
    position = numbers(dataset, "ImagePositionPatient", 3)
    pixel = numbers(dataset, "PixelSpacing", 2)
    if scaling is None or across is None or position is None or pixel is None:
        needed = {"Dose Grid Scaling": scaling, "Image Orientation Patient": across}
        needed |= {"Image Position Patient": position, "Pixel Spacing": pixel}
        lacking = next(name for name, value in needed.items() if value is None)
        raise DsirError(f"{path} cannot be used: it has no {lacking}.")
    if scaling <= 0:
        raise DsirError(f"{path} cannot be used: its Dose Grid Scaling is {scaling:g}.")
    if text(dataset, "DoseType").upper() == "ERROR":
        raise DsirError(f"{path} cannot be used: it holds the error of a dose (Dose Type ERROR), not a dose.")
    try:
        values = np.asarray(dataset.pixel_array).astype(np.float32) * float(scaling)
    except Exception:  # pydicom raises whatever its parsing stumbles over
        raise DsirError(f"The pixels of {path} are damaged or missing.") from None
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or len(values) < 2:
        raise DsirError(f"{path} holds a dose of a single plane; a dose grid of several planes is needed.")
    offsets = numbers(dataset, "GridFrameOffsetVector", len(values))
    if offsets is None:
        raise DsirError(f"{path} does not say where its {len(values)} planes lie (Grid Frame Offset Vector).")
    steps = np.diff(offsets)
    if np.ptp(steps) > 0.01 * abs(steps[0]) + 1e-3 or abs(steps[0]) < 1e-3:
        raise DsirError(f"{path} holds a dose grid whose planes are not evenly spaced.")
    directions = across.reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = directions[0] * pixel[1], directions[1] * pixel[0]
    normal = np.cross(*directions)
    apart = offsets[0] - float(position @ normal)  # absolute positions are allowed; the first then is the grid's own
    if abs(offsets[0]) > 1e-3 and abs(apart) > 0.1 * abs(steps[0]):
        raise DsirError(
            f"{path} says twice where its planes begin: {offsets[0]:g} mm by its Grid Frame Offset Vector, "
            f"{offsets[0] - apart:g} mm by its position."
        )
    affine[:3, 2], affine[:3, 3] = normal * steps.mean(), position
    try:
        lattice = Lattice(values.shape[::-1], LPS @ affine)
    except DsirError as error:
        raise DsirError(f"{path} cannot be used: {error}") from None
    return Image(torch.from_numpy(np.ascontiguousarray(values.transpose())), lattice)


def dose_remarks(path: Path, series: Series | None) -> tuple[str, ...]:
    """What must be known of a dose that was picked by hand, one sentence each.

    Args:
        series: the scan that it is said to lie on, where it is DICOM.

    Raises:
        DsirError: it lies in another frame of reference.
    """
    header = read_object(path, "RTDOSE", "an RTDOSE")
    if series is not None:
        series.check_frame(header, path)
    part, kind = (text(header, name).upper() for name in ("DoseSummationType", "DoseType"))
    said = []
    if part and part not in WHOLE:
        said.append(f"{path.name} is a part of a plan's dose (Dose Summation Type {part}), not the whole of it.")
    if kind not in ("", "PHYSICAL"):
        said.append(f"{path.name} is no physical dose (Dose Type {kind}).")
    if (unit := text(header, "DoseUnits").upper()) not in ("", "GY"):
        said.append(f"{path.name} is not in Gy (Dose Units {unit}); its numbers are kept.")
    return tuple(said)


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

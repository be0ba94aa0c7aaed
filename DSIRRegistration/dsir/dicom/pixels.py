"""Values of planes, as numbers that mean something: HU for CT, and what the scanner stored, rescaled, for the rest."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import DsirError
from ..messages import Message
from .dataset import items, number, read_whole, text, whole
from .planes import Plane
from .stack import Stack

PHILIPS_SLOPE = (0x2005, 0x100E)
"""Philips' own scale slope: its MR images are comparable only once divided by it."""


AIR = -1000.0
"""HU."""

UNSCALED = (1.0, 0.0)
"""Slope and intercept where the file says none."""


def values_of(stack: Stack, name: str) -> np.ndarray:
    """(columns, rows, slices) float32; each slice by its own slope, missing slices interpolated, tilt undone.

    Raises:
        DsirError: pixels that are damaged, in colour, or compressed in a way that cannot be read here.
    """
    order = sorted(stack.planes)
    decoded: dict[Path, np.ndarray] = {}
    out = np.empty(stack.lattice.shape, dtype=np.float32)
    frames = {plane.path: 0 for plane in stack.planes.values()}
    for plane in stack.planes.values():
        frames[plane.path] += 1
    philips = _philips(stack)
    _check_scales(stack, name)
    for k in order:
        plane = stack.planes[k]
        if plane.path not in decoded:
            decoded = {plane.path: _decoded(plane.path, name)}  # a file at a time: enhanced objects are large
        stored = decoded[plane.path]
        stored = stored[plane.frame] if stored.ndim == 3 else stored
        if stored.shape != plane.size:
            raise DsirError(f"{name} cannot be used: the pixels of {plane.path.name} are damaged.")
        slope, intercept = plane.scale or UNSCALED
        if slope == 0 and stored.any():
            raise DsirError(f"{name} cannot be used: {plane.path.name} says that its rescale slope is 0.")
        values = stored.astype(np.float64) * slope + intercept
        _fill_padding(values, plane, stored)
        if philips is not None:
            values /= (slope or 1.0) * philips[k]
        out[:, :, k] = _placed(values.T, stack, k, plane)
    if np.isnan(out[:, :, order]).any():  # slices of padding alone
        out = np.nan_to_num(out, nan=float(np.nanmin(out[:, :, order])))
    return _interpolated(out, order)


def _fill_padding(values: np.ndarray, plane: Plane, stored: np.ndarray) -> None:
    """Give pixels that were never measured (Pixel Padding Value: the corners of a CT, -2000 or -32768) the least value
    of their slice, NaN where it has none, and in a CT no more than air; 0 is background already."""
    header = plane.header
    low = number(header, "PixelPaddingValue")
    if not low:
        return
    signed = whole(header, "PixelRepresentation") == 1
    said = (low, number(header, "PixelPaddingRangeLimit") or low)
    ends = [end - 65536 if signed and end > 32767 else end for end in said]  # some write -2000 as 63536
    padded = (stored >= min(ends)) & (stored <= max(ends))
    if padded.any():
        values[padded] = values[~padded].min() if not padded.all() else np.nan
        if plane.scale and text(header, "Modality").upper() == "CT":  # all air is padding where the body was cut out
            values[padded] = np.fmin(values[padded], AIR)


def scale_remarks(stack: Stack, name: str) -> tuple[str, ...]:
    """What makes it doubtful that the values of a CT are HU."""
    scales = np.array([plane.scale for plane in stack.planes.values() if plane.scale])
    if not len(scales):
        return (Message("ct_unscaled", name=name),)
    low, high = scales.min(0), scales.max(0)
    turned = (Message("ct_negative_slope", name=name, slope=float(low[0])),) if low[0] < 0 else ()
    if np.allclose(low, high, rtol=1e-3):
        return turned
    values = {"slope_low": low[0], "slope_high": high[0], "intercept_low": low[1], "intercept_high": high[1]}
    return (*turned, Message("ct_uneven_scale", name=name, **{key: float(value) for key, value in values.items()}))


def _check_scales(stack: Stack, name: str) -> None:
    """Refuse values that cannot be compared with each other, or not be read at all.

    Raises:
        DsirError: they are of that kind.
    """
    without = sum(plane.scale is None for plane in stack.planes.values())
    if 0 < without < len(stack.planes):
        raise DsirError(
            f"{name} cannot be used: {without} of its {len(stack.planes)} slices say no rescale slope, the others do."
        )
    signs = {np.sign(plane.scale[0]) for plane in stack.planes.values() if plane.scale} - {0.0}
    if len(signs) > 1:
        raise DsirError(f"{name} cannot be used: some of its slices have a negative rescale slope, the others do not.")
    if without and any(items(plane.header, "ModalityLUTSequence") for plane in stack.planes.values()):
        raise DsirError(f"{name} cannot be used: its values go through a table (Modality LUT), which is not read.")


def _placed(values: np.ndarray, stack: Stack, k: int, plane: Plane) -> np.ndarray:
    """(columns, rows) on the grid; shifted where the gantry was tilted, its least value beyond."""
    shape = stack.lattice.shape[:2]
    if not stack.shifts.any():
        return values
    from scipy import ndimage

    wide = np.full(shape, values.min())
    wide[: values.shape[0], : values.shape[1]] = values
    return ndimage.shift(wide, stack.shifts[k], order=1, mode="constant", cval=float(values.min()))


def _interpolated(out: np.ndarray, order: list[int]) -> np.ndarray:
    for low, high in pairwise(order):
        for k in range(low + 1, high):
            t = (k - low) / (high - low)
            out[:, :, k] = (1 - t) * out[:, :, low] + t * out[:, :, high]
    return out


def _decoded(path: Path, name: str) -> np.ndarray:
    """Stored values (rows, columns) or (frames, rows, columns) of a file."""
    dataset = read_whole(path)
    if dataset is None or not any(key in dataset for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise DsirError(f"{name} cannot be used: {path.name} holds no pixels.")
    samples = whole(dataset, "SamplesPerPixel") or 1
    if samples != 1 or text(dataset, "PhotometricInterpretation").startswith(("RGB", "YBR", "PALETTE")):
        raise DsirError(f"{name} is in colour; a scan with one value a voxel is needed.")
    if (whole(dataset, "HighBit") or 0) >= (whole(dataset, "BitsStored") or 64):
        raise DsirError(f"{name} cannot be used: {path.name} keeps its values in upper bits, which DICOM has retired.")
    syntax = _syntax(dataset)
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise DsirError(f"{name} is stored in a private way ({syntax}); export it anew, uncompressed.")
    if not syntax.is_encapsulated and _goes_on(dataset):
        raise DsirError(f"{name} cannot be used: the pixels of {path.name} are more than its rows, columns and frames.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(dataset.pixel_array)
    except Exception:  # no decoder for this syntax, or damaged
        if not syntax.is_encapsulated:  # GDCM would make up what is missing
            raise DsirError(f"{name} cannot be used: the pixels of {path.name} are damaged.") from None
        values = _by_gdcm(path, dataset)
    if values is None:
        how = f" (compressed as {syntax.name})"
        raise DsirError(
            f"{name} cannot be used: the pixels of {path.name}{how} cannot be read; export it uncompressed."
        )
    return values


def _goes_on(dataset: Dataset) -> bool:
    """Whether uncompressed pixels go on behind the last one; a rest of zeros shorter than a row is padding."""
    rows, columns, frames = (whole(dataset, name) or 1 for name in ("Rows", "Columns", "NumberOfFrames"))
    row = columns * (whole(dataset, "BitsAllocated") or 8) // 8
    count = rows * row * frames
    rest = bytes(dataset.get("PixelData") or b"")[count + count % 2 :]  # DICOM makes every length even
    return len(rest) >= row or any(rest)


def _syntax(dataset: Dataset) -> UID:
    """The transfer syntax; a file without meta information is as it was found to be encoded, and uncompressed."""
    meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        implicit, little = dataset.original_encoding
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        if not little:
            meta.TransferSyntaxUID = ExplicitVRBigEndian
        dataset.file_meta = meta
    return meta.TransferSyntaxUID


def _by_gdcm(path: Path, dataset: Dataset) -> np.ndarray | None:
    """Stored values by GDCM, which knows more ways of compression; ITK rescales, and that is undone."""
    import SimpleITK as sitk

    from ..quiet import quiet

    try:
        with quiet():
            image = sitk.ReadImage(str(path), sitk.sitkFloat64)
    except RuntimeError:
        return None
    if image.GetNumberOfComponentsPerPixel() != 1:
        return None
    values = sitk.GetArrayFromImage(image)
    slope, intercept = number(dataset, "RescaleSlope") or 1.0, number(dataset, "RescaleIntercept") or 0.0
    values = (values - intercept) / slope
    return values[0] if values.ndim == 3 and len(values) == 1 else values


def _philips(stack: Stack) -> dict[int, float] | None:
    """Slice to Philips' scale slope, where slices differ by it: only then does it matter, as contrast is free."""
    if "philips" not in text(next(iter(stack.planes.values())).header, "Manufacturer").lower():
        return None
    found = {}
    for k, plane in stack.planes.items():
        try:
            value = float(plane.header[PHILIPS_SLOPE].value)
        except (KeyError, TypeError, ValueError):
            return None
        if not np.isfinite(value) or value <= 0:
            return None
        found[k] = value
    pairs = {(round((plane.scale or UNSCALED)[0], 9), round(found[k], 12)) for k, plane in stack.planes.items()}
    return found if len(pairs) > 1 else None

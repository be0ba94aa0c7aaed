"""A DICOM series as radiotherapy sees it: slices with identities, in a frame of reference."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
import torch
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from ..errors import DsirError
from ..files.itk import quiet
from ..geometry.image import Image
from ..geometry.lattice import Lattice

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
EVEN = 0.05
"""Share of the slice spacing by which a slice may be off its place."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One image of a series.

    Attributes:
        path: its file.
        sop_class, sop_instance: its UIDs.
    """

    path: Path
    sop_class: str
    sop_instance: str


@dataclass(frozen=True, eq=False)
class Series:
    """Slices in order.

    Attributes:
        lattice: columns, rows, slices; the third axis ascends along the slices' normal.
        slices: position on the third axis to slice; a missing slice has none.
        header: the first slice's header, without pixels.
    """

    lattice: Lattice
    slices: dict[int, Slice]
    header: Dataset

    @property
    def frame_of_reference(self) -> str:
        """Its Frame of Reference UID, empty where the series has none."""
        return str(self.header.get("FrameOfReferenceUID", ""))

    @property
    def missing(self) -> tuple[int, ...]:
        """Positions without a slice."""
        return tuple(k for k in range(self.lattice.shape[2]) if k not in self.slices)

    @property
    def gaps(self) -> str:
        """A sentence where slices are missing; empty where none is."""
        if not self.missing:
            return ""
        return (
            f"The {self.header.Modality} series lacks {len(self.missing)} of its {self.lattice.shape[2]} slices (the "
            f"first is slice {self.missing[0] + 1})"
        )

    def volume(self) -> Image:
        """The voxels, rescaled (HU for CT); missing slices are interpolated.

        Raises:
            DsirError: a slice is damaged or of another size.
        """
        order = sorted(self.slices)
        folder = self.slices[order[0]].path.parent
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames([str(self.slices[k].path) for k in order])
        try:
            with quiet():
                values = sitk.GetArrayFromImage(reader.Execute()).astype(np.float32).transpose()
        except RuntimeError:
            raise DsirError(f"The pixels of the series in {folder} cannot be read.") from None
        if values.shape[:2] != self.lattice.shape[:2] or values.shape[2] != len(order):
            raise DsirError(f"The slices in {folder} do not form one volume.")
        full = np.empty(self.lattice.shape, dtype=np.float32)
        for k in range(self.lattice.shape[2]):
            above = int(np.searchsorted(order, k))
            if order[above] == k:
                full[..., k] = values[..., above]
                continue
            t = (k - order[above - 1]) / (order[above] - order[above - 1])
            full[..., k] = (1 - t) * values[..., above - 1] + t * values[..., above]
        return Image(torch.from_numpy(full), self.lattice)


def read_series(folder: str | Path, *, wanted: Iterable[str] = ()) -> Series:
    """Read the headers of one series.

    Args:
        folder: holds the series, anywhere below it; other objects in it (RTSTRUCT, RTDOSE) are passed over.
        wanted: series UIDs to choose by, where the folder holds several.

    Raises:
        DsirError: no images, several series, no positions, slices that overlap or are not evenly spaced, multi-frame.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DsirError(f"{folder} is not a folder with a DICOM series.")
    groups: dict[str, list[tuple[Path, Dataset]]] = defaultdict(list)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        header = _header(path)
        if header is not None:
            groups[str(header.get("SeriesInstanceUID", ""))].append((path, header))
    if not groups:
        raise DsirError(f"{folder} holds no DICOM images with a position in space.")
    chosen = [uid for uid in groups if uid in set(wanted)] or list(groups)
    if len(chosen) > 1:
        raise DsirError(f"{folder} holds {len(chosen)} series; give a folder with one.")
    return _series(folder, groups[chosen[0]])


def _header(path: Path) -> Dataset | None:
    """An image's header; None for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError):
        return None
    if "Rows" not in header or "ImagePositionPatient" not in header or header.get("Modality") == "RTDOSE":
        return None
    return header


def _series(folder: Path, found: list[tuple[Path, Dataset]]) -> Series:
    first = found[0][1]
    try:
        directions = np.array([float(v) for v in first.ImageOrientationPatient]).reshape(2, 3)
        pixel = np.array([float(v) for v in first.PixelSpacing])
        positions = np.array([[float(v) for v in header.ImagePositionPatient] for _, header in found])
        turned = max(
            np.abs(np.array(h.ImageOrientationPatient, dtype=float).reshape(2, 3) - directions).max() for _, h in found
        )
        sizes = {(int(h.Rows), int(h.Columns)) for _, h in found}
    except (AttributeError, TypeError, ValueError):
        raise DsirError(f"The series in {folder} lacks positions, orientations or pixel sizes.") from None
    if int(first.get("NumberOfFrames") or 1) > 1:
        raise DsirError(f"{folder} holds a multi-frame image; export it as single slices.")
    if len(found) < 2:
        raise DsirError(f"{folder} holds a single slice; a series of slices is needed.")
    if turned > 1e-3 or len(sizes) > 1:
        raise DsirError(f"The slices in {folder} are not parallel and of one size (a localiser among them?).")
    normal = np.cross(*directions)
    along = positions @ normal
    order = np.argsort(along)
    steps = np.diff(along[order])
    spacing = float(np.median(steps))
    if steps.min() < 1e-3:
        raise DsirError(f"The series in {folder} has two slices at one place (a time series?); give one of them.")
    places = (along[order] - along[order[0]]) / spacing
    if np.abs(places - np.rint(places)).max() > EVEN:
        raise DsirError(
            f"The slices in {folder} are not evenly spaced: most lie {spacing:g} mm apart, but gaps run from "
            f"{steps.min():g} to {steps.max():g} mm."
        )
    count = round(float(places[-1])) + 1
    travel = (positions[order[-1]] - positions[order[0]]) / (count - 1)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = directions[0] * pixel[1], directions[1] * pixel[0]
    affine[:3, 2], affine[:3, 3] = travel, positions[order[0]]
    rows, columns = sizes.pop()
    try:
        lattice = Lattice((columns, rows, count), LPS @ affine)
    except DsirError as error:
        raise DsirError(f"The series in {folder} cannot be used: {error}") from None
    slices = {
        round(float(places[n])): Slice(found[i][0], str(found[i][1].SOPClassUID), str(found[i][1].SOPInstanceUID))
        for n, i in enumerate(order)
    }
    return Series(lattice, slices, found[order[0]][1])

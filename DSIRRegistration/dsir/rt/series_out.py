"""A warped scan as a DICOM series on the fixed series' slices, in its study and frame of reference.

It is derived, and says so (ImageType DERIVED\\SECONDARY, derivation description). A CT stays a CT and an MR an MR, so
that planning systems show it; anything else becomes secondary capture images, in which a PET says its units. Patient
and study are the fixed series'.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import CTImageStorage, MRImageStorage, SecondaryCaptureImageStorage, generate_uid

from ..dicom.dataset import text
from ..dicom.series import Series
from ..dicom.suv import is_pet
from ..errors import DsirError
from ..geometry.image import Image
from ..geometry.lattice import LPS
from .object_attributes import decimal, made_now, new_object

CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}

CARRIED: dict[str, dict[str, object]] = {
    "CT": {"KVP": "", "AcquisitionNumber": "", "ConvolutionKernel": ""},
    "MR": {
        "ScanningSequence": "RM",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "",
        "RepetitionTime": "",
        "EchoTime": "",
        "EchoTrainLength": "",
        "MagneticFieldStrength": "",
    },
}
"""What tells how the moving scan was made: taken over where it says so, else this. ``RM`` is research mode."""

MOST = 32767
"""Largest stored value of 16 bits with a sign."""


def write_series(
    folder: str | Path,
    image: Image,
    fixed: Series,
    moving: Series,
    *,
    pseudonym: str | None = None,
    suv: bool = False,
) -> list[Path]:
    """Write one file a slice of the fixed series.

    Args:
        folder: made if it is not there.
        image: on the fixed series' lattice, in the moving scan's units (a PET's may be SUV).
        suv: the values of a PET are SUV by body weight; the header then says so.

    Returns:
        the files, lowest slice first.

    Raises:
        DsirError: the image is on another grid, the series lacks its study, or a file cannot be written.
    """
    if not image.lattice.matches(fixed.lattice):
        raise DsirError("The warped scan is not on the fixed series' grid, so it cannot become a series beside it.")
    if not text(fixed.header, "StudyInstanceUID"):
        raise DsirError("A DICOM series belongs to a study, and the fixed series has no StudyInstanceUID.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    values = image.data.numpy()
    slope, stored = _stored(values, text(moving.header, "Modality").upper())
    head = _head(fixed, moving, pseudonym)
    if is_pet(moving.header):
        _say_units(head, moving, suv)
    head.RescaleIntercept, head.RescaleSlope = "0", decimal(slope)
    written = []
    for k in range(fixed.lattice.shape[2]):
        path = folder / f"slice_{k + 1:04d}.dcm"
        _slice(head, fixed, stored[:, :, k], k).save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def _stored(values: np.ndarray, modality: str) -> tuple[float, np.ndarray]:
    """Slope and int16: HU and whole numbers as they are, everything else scaled to 16 bits."""
    largest = float(np.abs(values).max())
    whole = modality == "CT" or bool((values[::3, ::3, ::3] == np.rint(values[::3, ::3, ::3])).all())
    slope = 1.0 if (whole or largest > 1000) and largest <= MOST else max(largest, 1e-6) / MOST
    return slope, np.clip(np.rint(values / slope), -MOST, MOST).astype("<i2")


def _head(fixed: Series, moving: Series, pseudonym: str | None) -> Dataset:
    modality = text(moving.header, "Modality").upper()
    head = Dataset()
    made_now(head, fixed, pseudonym)
    head.SOPClassUID = CLASSES.get(modality, SecondaryCaptureImageStorage)
    head.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if modality == "CT" else "OTHER"]
    head.Modality, head.Laterality = modality or "OT", ""
    if modality not in CLASSES:
        head.ConversionType = "WSD"
    head.SeriesNumber = _number(fixed)
    said = text(moving.header, "SeriesDescription") or modality
    head.SeriesDescription = f"{said[:40]} on the fixed scan"
    head.DerivationDescription = "Resampled through a registration by DSIR; not reviewed"
    head.SeriesDate = head.ContentDate = head.InstanceCreationDate
    head.SeriesTime = head.ContentTime = head.InstanceCreationTime
    head.FrameOfReferenceUID = fixed.frame_of_reference or generate_uid()
    head.PatientPosition = text(fixed.header, "PatientPosition")
    for name, otherwise in CARRIED.get(modality, {}).items():
        value = moving.header.get(name)
        setattr(head, name, otherwise if value is None or value == "" else value)
    lattice = fixed.lattice
    affine = LPS @ lattice.affine
    head.ImageOrientationPatient = [decimal(v) for v in (affine[:3, :2] / lattice.spacing[:2]).T.ravel()]
    head.PixelSpacing = [decimal(lattice.spacing[1]), decimal(lattice.spacing[0])]
    head.SliceThickness = decimal(lattice.spacing[2])
    head.Rows, head.Columns = lattice.shape[1], lattice.shape[0]
    head.SamplesPerPixel, head.PhotometricInterpretation = 1, "MONOCHROME2"
    head.BitsAllocated = head.BitsStored = 16
    head.HighBit, head.PixelRepresentation = 15, 1
    return head


def _say_units(head: Dataset, moving: Series, suv: bool) -> None:
    """What a PET's numbers are: in its attributes, and in the description for programs that show only that."""
    head.Units = "GML" if suv else text(moving.header, "Units").upper()
    if suv:
        head.SUVType = "BW"
    head.SeriesDescription = f"{head.SeriesDescription[:52]}, {'SUVbw g/mL' if suv else head.Units or 'no units'}"


def _slice(head: Dataset, fixed: Series, stored: np.ndarray, k: int) -> FileDataset:
    dataset = new_object(head.SOPClassUID)
    dataset.update(head)
    dataset.InstanceNumber = k + 1
    position = fixed.lattice.to_world(np.array([0.0, 0.0, k])) * np.array([-1, -1, 1])
    dataset.ImagePositionPatient = [decimal(v) for v in position]
    dataset.PixelData = np.ascontiguousarray(stored.T).tobytes()
    return dataset


def _number(fixed: Series) -> int:
    """A series number that is probably free in the fixed study."""
    said = text(fixed.header, "SeriesNumber")
    return (int(said) if said.isdigit() else 0) + 9000

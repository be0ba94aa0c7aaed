"""Two DICOM studies of one made-up person: a scan, structure sets, doses and what else lies about in such a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from dicom_made import ball, make_rtstruct, make_series
from dsir.geometry.lattice import Lattice
from phantoms import dark_on_bright, lattice_of
from pydicom.uid import generate_uid

SHIFT = np.array([6.0, -4.0, 5.0])
"""mm: what lies at x in the new study lies at x + SHIFT in the old one."""

GRID = lattice_of((44, 50, 30), (3.0, 3.0, 4.0))
ORGANS = {"organ": (np.array([10.0, -8.0, 6.0]), 16.0), "target": (np.array([-18.0, 12.0, -8.0]), 11.0)}
"""Name to centre (RAS mm, old study) and radius of a ball."""


def hounsfield(shift: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda world: dark_on_bright(np.asarray(world) - shift) - 1000.0


COARSE = lattice_of((18, 20, 12), (4.7, 4.7, 6.7))
"""The middle of it, which holds both organs, on coarse voxels: for who asks whether and not how well."""

QUICK = {
    "spacing": 6.0,
    "descriptor": "mind",
    "linear": {"start": "identity", "model": "translation"},
    "discrete": {"grids": [12.0], "captures": [12.0]},
    "descent": {"levels": [{"scale": 1.0, "iterations": 1}]},
}
"""Settings by which these studies, which a shift tells apart, are registered in a second."""


def make_studies(root: Path, grid: Lattice = GRID) -> tuple[Path, Path]:
    """``new`` and ``old`` below ``root``; the old one has a structure set that was superseded, a dose of a beam, ..."""
    new, old = root / "new", root / "old"
    make_series(new / "ct", grid, values=hounsfield(np.zeros(3)))
    make_series(old / "ct", grid, values=hounsfield(SHIFT))
    header = pydicom.dcmread(next((old / "ct").iterdir()))
    outlines = {name: ball(grid, centre, radius) for name, (centre, radius) in ORGANS.items()}
    for name, date, label in (("rs_first.dcm", "20250101", "first"), ("rs_last.dcm", "20250301", "last")):
        dataset = make_rtstruct(old / name, grid, outlines, frame=header.FrameOfReferenceUID)
        drawn_on(dataset, header)
        dataset.StructureSetDate, dataset.StructureSetTime, dataset.StructureSetLabel = date, "120000", label
        dataset.save_as(old / name)
    make_dose(old / "rd.dcm", grid.with_spacing(4.0), header, "PLAN")
    make_dose(old / "rd_beam.dcm", grid.with_spacing(8.0), header, "BEAM")
    scout = pydicom.dcmread(next((new / "ct").iterdir()))
    scout.SeriesInstanceUID, scout.SOPInstanceUID = generate_uid(), generate_uid()
    scout.file_meta.MediaStorageSOPInstanceUID = scout.SOPInstanceUID
    scout.ImageType, scout.SeriesDescription = ["ORIGINAL", "PRIMARY", "LOCALIZER"], "scout"
    scout.save_as(new / "scout.dcm")
    return new, old


def drawn_on(dataset: pydicom.Dataset, header: pydicom.Dataset) -> None:
    """Say in a structure set which series it was drawn on, and whose it is."""
    series, study, frame = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    series.SeriesInstanceUID = header.SeriesInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = header.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(dataset, name, header.get(name, ""))


def make_dose(path: Path, grid: Lattice, header: pydicom.Dataset, kind: str) -> None:
    """1 Gy a mm along the patient's left-right axis, from nought at the grid's right edge."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    world = grid.to_world(index)[..., 0]
    values = np.rint((world - world.min()) / 0.001).astype(np.uint32)
    dataset = pydicom.Dataset.from_json(header.to_json_dict())
    dataset.file_meta = header.file_meta
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.SOPClassUID = "RTDOSE", "1.2.840.10008.5.1.4.1.1.481.2"
    dataset.DoseSummationType, dataset.DoseUnits, dataset.DoseGridScaling = kind, "GY", 0.001
    dataset.Columns, dataset.Rows, dataset.NumberOfFrames = grid.shape
    dataset.PixelSpacing = [float(grid.spacing[1]), float(grid.spacing[0])]
    dataset.ImagePositionPatient = [float(v) for v in grid.to_world(np.zeros(3)) * [-1, -1, 1]]
    along = grid.directions[:, :2].T * np.array([-1, -1, 1])
    dataset.ImageOrientationPatient = along.ravel().tolist()
    dataset.GridFrameOffsetVector = [float(k * grid.spacing[2]) for k in range(grid.shape[2])]
    dataset.BitsAllocated = dataset.BitsStored = 32
    dataset.HighBit = 31
    dataset.PixelData = values.transpose(2, 1, 0).tobytes()
    dataset.save_as(path, enforce_file_format=True)

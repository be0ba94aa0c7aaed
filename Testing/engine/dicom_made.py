"""DICOM series and structure sets that the tests make for themselves; no patient, no files from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pydicom
from dsir.geometry.lattice import Lattice
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

NAME = "Secret^Patient"
LPS = np.array([-1.0, -1.0, 1.0])

Outlines = Mapping[int, Sequence[np.ndarray]]
"""Slice number to polygons (N, 2) in pixel indices."""


def make_series(
    folder: Path,
    lattice: Lattice,
    *,
    frame: str | None = None,
    without: Sequence[int] = (),
    values: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Path:
    """Write a CT whose voxels lie on ``lattice`` (right-handed in LPS as scanners write); HU from RAS points."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame = generate_uid(), generate_uid(), frame or generate_uid()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in lattice.shape), indexing="ij"), -1)
    world = lattice.to_world(index)
    hu = values(world) if values else 40.0 * np.sin(world / 9.0).sum(-1)
    for k in range(lattice.shape[2]):
        if k in without:
            continue
        dataset = _blank(CTImageStorage)
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = (
            NAME,
            "ID-4711-Q",
            "",
            "O",
        )
        dataset.Modality, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "CT", study, series
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20260101", "120000", "1"
        dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
        dataset.FrameOfReferenceUID, dataset.InstanceNumber = frame, k + 1
        dataset.Manufacturer, dataset.SeriesNumber = "test", 1
        dataset.Rows, dataset.Columns = lattice.shape[1], lattice.shape[0]
        dataset.PixelSpacing = [float(lattice.spacing[1]), float(lattice.spacing[0])]
        dataset.SliceThickness = float(lattice.spacing[2])
        dataset.ImagePositionPatient = [f"{v:.6f}" for v in lattice.to_world(np.array([0, 0, k])) * LPS]
        along = lattice.directions[:, :2].T * LPS
        dataset.ImageOrientationPatient = [f"{v:.8f}" for v in along.ravel()]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = (np.clip(hu[:, :, k].T + 1024, 0, 4000)).astype(np.uint16).tobytes()
        dataset.save_as(folder / f"slice_{k:03d}.dcm", enforce_file_format=True)
    return folder


def make_rtstruct(
    path: Path, lattice: Lattice, rois: Mapping[str, Outlines], *, frame: str, kind: str = "CLOSED_PLANAR"
) -> Dataset:
    """Write a structure set with a ROI for each name; returns it, for a test to spoil and save again."""
    dataset = _blank("1.2.840.10008.5.1.4.1.1.481.3")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.Modality = NAME, "ID-4711-Q", "RTSTRUCT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.StructureSetLabel = "plan"
    rows, drawn, observed = [], [], []
    for number, (name, outlines) in enumerate(rois.items(), start=1):
        roi, contours, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        roi.ROIGenerationAlgorithm = "MANUAL"
        contours.ReferencedROINumber, contours.ROIDisplayColor = number, [10 * number, 200, 30]
        contours.ContourSequence = Items(
            [contour(lattice, polygon, k, kind) for k, polygons in outlines.items() for polygon in polygons]
        )
        observation.ObservationNumber = observation.ReferencedROINumber = number
        observation.RTROIInterpretedType, observation.ROIInterpreter = "ORGAN", "Dr^Who"
        rows.append(roi), drawn.append(contours), observed.append(observation)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = Items(rows), Items(drawn)
    dataset.RTROIObservationsSequence = Items(observed)
    dataset.save_as(path, enforce_file_format=True)
    return dataset


def contour(lattice: Lattice, polygon: np.ndarray, k: float, kind: str = "CLOSED_PLANAR") -> Dataset:
    """One item of a Contour Sequence."""
    item = Dataset()
    item.ContourGeometricType, item.NumberOfContourPoints = kind, len(polygon)
    points = lattice.to_world(np.column_stack([polygon, np.full(len(polygon), float(k))])) * LPS
    item.ContourData = [f"{v:.4f}" for v in points.ravel()]
    return item


def circle(centre: Sequence[float], radius: float, spacing: np.ndarray, count: int = 90) -> np.ndarray:
    """(N, 2) in pixel indices; ``radius`` in mm, ``centre`` in pixels."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.array(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], -1) / spacing[:2]


def ball(lattice: Lattice, centre: np.ndarray, radius: float) -> dict[int, list[np.ndarray]]:
    """The outlines of a ball about a RAS point (mm) on every slice it meets."""
    at, out = lattice.to_index(centre), {}
    for k in range(lattice.shape[2]):
        rest = radius**2 - ((k - at[2]) * lattice.spacing[2]) ** 2
        if rest > 1.0:
            out[k] = [circle(at[:2], np.sqrt(rest), lattice.spacing)]
    return out


def _blank(kind: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    return dataset


def change(path: Path, what: Callable[[Dataset], None], to: Path | None = None) -> None:
    """Change a file, or with ``to`` write another of a UID of its own."""
    dataset = pydicom.dcmread(path)
    what(dataset)
    if to is not None:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.save_as(to or path)


def enhanced(path: Path, places: list[float], *, times: list[int] | None = None) -> Path:
    """A multi-frame CT with a frame at each z (mm LPS), all of them 40 + z."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2.1", generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    d.Modality, d.SeriesInstanceUID, d.Rows, d.Columns, d.NumberOfFrames = "CT", generate_uid(), 6, 5, len(places)
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
    d.BitsAllocated = d.BitsStored = 16
    d.HighBit = 15
    shared, measures, turn = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, turn.ImageOrientationPatient = [2, 2], [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([turn])
    d.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for n, z in enumerate(places):
        frame, place, content, value = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, z]
        content.TemporalPositionIndex = times[n] if times else 1
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = 1, 0, "HU"
        frame.PlanePositionSequence, frame.FrameContentSequence = Items([place]), Items([content])
        frame.PixelValueTransformationSequence = Items([value])
        frames.append(frame)
    d.PerFrameFunctionalGroupsSequence = Items(frames)
    values = [np.arange(30).reshape(6, 5) + 40 + z + 100 * (times[n] if times else 0) for n, z in enumerate(places)]
    d.PixelData = np.stack(values).astype(np.uint16).tobytes()
    d.save_as(path, enforce_file_format=True)
    return path

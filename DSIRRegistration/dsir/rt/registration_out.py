"""A transform as a DICOM registration object: spatial where it is linear, deformable where it is not.

The registered frame of reference is the fixed series'. A spatial registration's matrix leads from the moving series to
it, so it is our transform's inverse; a deformable one leads from it to the moving series, as our transform does
(PS3.3 C.20.2, C.20.3). Nothing is approved; patient and study are those of the fixed series, all UIDs are new.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from ..dicom.dataset import text
from ..dicom.series import Series
from ..files.atomic import complete_file
from ..files.dicom_registration import DEFORMABLE, MIRROR, SPATIAL
from ..files.itk import LPS
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform, linear_matrix
from ..transforms.field import DisplacementField
from .object_attributes import (
    check_references,
    code_item,
    content_label,
    decimal,
    image_reference,
    item,
    made_now,
    new_object,
)

CONTENT_BASED = ("125024", "DCM", "Image Content-based Alignment")
"""Context group 7100: by what the two were aligned."""

IDENTICAL, ORTHOGONAL = 1e-5, 1e-5
"""How far a matrix may be from a rigid one, and from one with scales along orthogonal axes, to be called so."""

Matrix = np.ndarray


def write_registration(
    path: str | Path,
    transform: Transform,
    fixed: Series,
    moving: Series,
    *,
    label: str = "DSIR",
    pseudonym: str | None = None,
) -> str:
    """Write a fixed-to-moving transform.

    Args:
        fixed, moving: the series it belongs to; both need a frame of reference and SOP UIDs.
        label: for the planning system, at most 16 letters, digits, blanks and underscores.
        pseudonym: stands for patient name and ID; birth date and sex are then blank.

    Returns:
        ``"spatial"`` or ``"deformable"``.

    Raises:
        DsirError: a series lacks what the object must refer to, or the file cannot be written.
    """
    check_references(fixed, "A DICOM registration")
    check_references(moving, "A DICOM registration", role="moving")
    matrix = linear_matrix(transform)
    dataset = _head(fixed, SPATIAL if matrix is not None else DEFORMABLE, label, pseudonym)
    if matrix is not None:
        to_fixed = np.linalg.inv(LPS @ matrix @ LPS)
        dataset.RegistrationSequence = [_spatial_item(fixed, np.eye(4)), _spatial_item(moving, to_fixed)]
    else:
        dataset.DeformableRegistrationSequence = [_deformable_item(transform, fixed.lattice, moving)]
    _common_references(dataset, fixed, moving)
    with complete_file(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
    return "spatial" if matrix is not None else "deformable"


def _head(fixed: Series, kind: str, label: str, pseudonym: str | None) -> FileDataset:
    dataset = new_object(kind)
    made_now(dataset, fixed, pseudonym)
    dataset.SeriesDate = dataset.ContentDate = dataset.InstanceCreationDate
    dataset.SeriesTime = dataset.ContentTime = dataset.InstanceCreationTime
    dataset.Modality, dataset.Laterality = "REG", ""
    dataset.FrameOfReferenceUID = text(fixed.header, "FrameOfReferenceUID")
    dataset.DeviceSerialNumber = "none"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.ContentLabel = content_label(label)
    dataset.SeriesDescription = dataset.ContentDescription = "Registration by DSIR, not reviewed"
    dataset.ContentCreatorName = ""
    return dataset


def _spatial_item(series: Series, matrix: Matrix) -> Dataset:
    """``matrix``: (4, 4) LPS, from the series to the registered frame."""
    aligned = item(RegistrationTypeCodeSequence=[code_item(*CONTENT_BASED)], MatrixSequence=[_matrix_item(matrix)])
    return item(
        FrameOfReferenceUID=text(series.header, "FrameOfReferenceUID"),
        ReferencedImageSequence=_references(series),
        MatrixRegistrationSequence=[aligned],
    )


def _deformable_item(transform: Transform, fixed: Lattice, moving: Series) -> Dataset:
    field, post = as_field_and_matrix(transform, fixed)
    affine, spacing = LPS @ field.lattice.affine, field.lattice.spacing
    vectors = field.vectors.cpu().numpy() * MIRROR
    grid = item(
        ImageOrientationPatient=[decimal(v) for v in (affine[:3, :2] / spacing[:2]).T.ravel()],
        ImagePositionPatient=[decimal(v) for v in affine[:3, 3]],
        GridDimensions=list(field.lattice.shape),
        GridResolution=spacing.tolist(),
        VectorGridData=np.ascontiguousarray(vectors.transpose(3, 2, 1, 0), dtype="<f4").tobytes(),
    )
    return item(
        SourceFrameOfReferenceUID=text(moving.header, "FrameOfReferenceUID"),
        ReferencedImageSequence=_references(moving),
        RegistrationTypeCodeSequence=[code_item(*CONTENT_BASED)],
        PreDeformationMatrixRegistrationSequence=[_matrix_item(np.eye(4))],
        PostDeformationMatrixRegistrationSequence=[_matrix_item(LPS @ post @ LPS)],
        DeformableRegistrationGridSequence=[grid],
    )


def as_field_and_matrix(transform: Transform, fixed: Lattice) -> tuple[DisplacementField, Matrix]:
    """A chain as one field and one (4, 4) RAS matrix after it, the field on a right-handed grid over the fixed scan.

    Where the chain begins with its only field, the grid keeps that field's voxels, so that nothing is interpolated; it
    grows by whole voxels until it covers the fixed scan, since a reader takes what lies beyond a grid as it likes.
    """
    parts = transform.parts
    fields = [part for part in parts if isinstance(part, DisplacementField)]
    if len(fields) == 1 and parts[0] is fields[0]:
        lattice = _covering(fields[0].lattice.right_handed(), fixed)
        matrix = linear_matrix(Transform(parts[1:]))
        assert matrix is not None
        return fields[0].on(lattice), matrix
    finest = min(float(part.lattice.spacing.min()) for part in fields)
    lattice = fixed.with_spacing(np.maximum(fixed.spacing, min(finest, 3.0))).right_handed()
    return transform.displacement(lattice), np.eye(4)


def _covering(lattice: Lattice, fixed: Lattice) -> Lattice:
    index = lattice.to_index(fixed.corners())
    start = np.minimum(np.floor(index.min(0) + 1e-6).astype(int), 0)
    stop = np.maximum(np.ceil(index.max(0) - 1e-6).astype(int) + 1, np.array(lattice.shape))
    return lattice.window(start, tuple(int(n) for n in stop - start))


def _matrix_item(matrix: Matrix) -> Dataset:
    return item(
        FrameOfReferenceTransformationMatrixType=matrix_type(matrix),
        FrameOfReferenceTransformationMatrix=[decimal(value) for value in matrix.ravel()],
    )


def matrix_type(matrix: Matrix) -> str:
    """``RIGID``, ``RIGID_SCALE`` (scales along orthogonal axes) or ``AFFINE`` (PS3.3 C.20.2.1.2)."""
    linear = matrix[:3, :3]
    gram = linear.T @ linear
    if np.abs(gram - np.eye(3)).max() < IDENTICAL and np.linalg.det(linear) > 0:
        return "RIGID"
    off = np.abs(gram - np.diag(np.diag(gram))).max()
    return "RIGID_SCALE" if off < ORTHOGONAL and np.linalg.det(linear) > 0 else "AFFINE"


def _references(series: Series) -> list[Dataset]:
    found: list[Dataset] = []
    for k in sorted(series.slices):
        image = image_reference(series.slices[k])
        if not any(image.ReferencedSOPInstanceUID == other.ReferencedSOPInstanceUID for other in found[-1:]):
            found.append(image)  # an enhanced object's frames lie in one file
    return found


def _common_references(dataset: Dataset, fixed: Series, moving: Series) -> None:
    """Series of the fixed study, and of other studies (PS3.3 C.12.2)."""
    here, study = [_series_item(fixed)], text(moving.header, "StudyInstanceUID")
    if study != text(fixed.header, "StudyInstanceUID"):
        other = item(StudyInstanceUID=study, ReferencedSeriesSequence=[_series_item(moving)])
        dataset.StudiesContainingOtherReferencedInstancesSequence = [other]
    elif text(moving.header, "SeriesInstanceUID") != text(fixed.header, "SeriesInstanceUID"):
        here.append(_series_item(moving))
    dataset.ReferencedSeriesSequence = here


def _series_item(series: Series) -> Dataset:
    uid = text(series.header, "SeriesInstanceUID")
    return item(SeriesInstanceUID=uid, ReferencedInstanceSequence=_references(series))

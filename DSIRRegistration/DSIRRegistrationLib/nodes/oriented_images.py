"""Segments as Slicer holds them: images that know where they lie and how far they reach, to arrays and back."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy


def voxels_in(image: slicer.vtkOrientedImageData, label: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(I, J, K) bool in the box from index ``low`` to ``high``, inclusive."""
    out = np.zeros(high - low + 1, dtype=bool)
    if image.IsEmpty():
        return out
    extent = np.array(image.GetExtent()).reshape(3, 2)
    shape = extent[:, 1] - extent[:, 0] + 1
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape[::-1]).transpose(2, 1, 0)
    start = extent[:, 0] - low
    out[tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))] = values == label
    return out


def affine_of(image: slicer.vtkOrientedImageData) -> np.ndarray:
    """(4, 4) index to the segmentation's own coordinates; index (0, 0, 0) need not be within the extent."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def oriented(mask: np.ndarray, like: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """A mask (I, J, K) bool on the voxels of the volume ``like``."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*mask.shape)
    matrix = vtk.vtkMatrix4x4()
    like.GetIJKToRASMatrix(matrix)
    image.SetImageToWorldMatrix(matrix)
    values = np.ascontiguousarray(mask.transpose(2, 1, 0), dtype=np.uint8).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(values, deep=True))
    return image

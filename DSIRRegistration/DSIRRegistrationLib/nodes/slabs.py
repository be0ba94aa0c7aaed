"""Volumes to files and back slab by slab, so that Slicer's own thread draws in between.

A CT of 40 million voxels takes seconds to unpack and round; a slab takes a few milliseconds. Generators here yield
``True``: there is more to do, and nothing to wait for.
"""

from __future__ import annotations

import gzip
from collections.abc import Generator
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.geometry.lattice import Lattice
from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

VOXELS = 400_000
"""Of a slab, about."""


def write_slabs(path: Path, node: slicer.vtkMRMLScalarVolumeNode, lattice: Lattice) -> Generator[bool, None, None]:
    """Write the voxels of a volume, which lie on ``lattice``, as uncompressed NIfTI."""
    from dsir.files import nifti

    values = slicer.util.arrayFromVolume(node)  # (K, J, I), I running fastest, as in the file
    kind = nifti.storable(values.dtype)
    with path.open("wb") as file:
        file.write(nifti.header(lattice.shape, kind, lattice.affine))
        for part in _slabs(values.shape):
            file.write(np.ascontiguousarray(values[part], dtype=kind).data)
            yield True


def read_slabs(path: Path, kind: np.dtype | None = None) -> Generator[bool, None, vtk.vtkImageData]:
    """Read a scalar NIfTI file that the engine wrote.

    Args:
        kind: of the voxels; whole numbers are rounded to and kept within its limits. As in the file by default.
    """
    import nibabel as nib

    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        header = nib.Nifti1Header.from_fileobj(file)
        file.seek(int(header.get_data_offset()))
        stored, shape = header.get_data_dtype(), header.get_data_shape()[:3]
        slope, offset = (1.0 if v is None else v for v in header.get_slope_inter())
        kind = np.dtype(kind or stored.newbyteorder("="))
        image = vtk.vtkImageData()
        image.SetDimensions(*shape)
        image.AllocateScalars(get_vtk_array_type(kind.type), 1)
        target = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape[::-1])
        yield True
        for part in _slabs(shape[::-1]):
            count = target[part].size
            values = np.frombuffer(file.read(count * stored.itemsize), stored, count).reshape(target[part].shape)
            if slope != 1 or offset:
                values = values * slope + offset
            target[part] = _as(values, kind)
            yield True
    return image


def _slabs(shape: tuple[int, int, int]) -> list[tuple[slice, ...]]:
    """Parts of a (K, J, I) array of about :data:`VOXELS` each: some planes, or some rows of one large plane."""
    planes = max(1, VOXELS // (shape[1] * shape[2]))
    rows = min(shape[1], max(1, VOXELS // shape[2]))
    return [
        (slice(k, k + planes), slice(j, j + rows)) for k in range(0, shape[0], planes) for j in range(0, shape[1], rows)
    ]


def _as(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    if not np.issubdtype(kind, np.integer) or np.issubdtype(values.dtype, np.integer):
        return values.astype(kind, copy=False)
    limits = np.iinfo(kind)
    return np.clip(np.rint(values), limits.min, limits.max).astype(kind)

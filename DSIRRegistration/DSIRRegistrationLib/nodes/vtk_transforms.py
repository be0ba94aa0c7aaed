"""VTK's transforms as such: of what parts they are, whether those are linear, what files hold of them."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from dsir.geometry.lattice import Lattice

SAMPLING = 3.0
"""mm between the samples of a transform that cannot be stored as it is (thin plates, inverted grids)."""

PADDING = 20.0
"""mm around the fixed volume within which such a transform is sampled."""


def flatten(transform: vtk.vtkAbstractTransform) -> list[vtk.vtkAbstractTransform]:
    """The simple parts of a composition, in MRML's own order."""
    found = vtk.vtkCollection()
    slicer.vtkMRMLTransformNode.FlattenGeneralTransform(found, transform)
    return [found.GetItemAsObject(n) for n in range(found.GetNumberOfItems())]


def linear_matrix(transform: vtk.vtkAbstractTransform) -> np.ndarray | None:
    """(4, 4) of a transform all of whose parts are linear, RAS mm; None where one is not."""
    if not all(part.IsA("vtkLinearTransform") for part in flatten(transform)):
        return None
    origin = np.array(transform.TransformPoint(0.0, 0.0, 0.0))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis in range(3):
        matrix[:3, axis] = np.array(transform.TransformPoint(*np.eye(3)[axis])) - origin
    return matrix


def make_linear(transform: vtk.vtkAbstractTransform) -> None:
    """Read grids linearly, as they were optimised. Files do not say how, and MRML takes them as cubic: that differs by
    a tenth of a millimetre where a field is steep, and can fold where the field does not."""
    for part in flatten(transform):
        if part.IsA("vtkOrientedGridTransform"):
            part.SetInterpolationModeToLinear()


def storable(part: vtk.vtkAbstractTransform) -> bool:
    """Whether a transform file holds such a part as it is."""
    if part.IsA("vtkLinearTransform"):
        return True
    grid = part.IsA("vtkOrientedGridTransform") or part.IsA("vtkOrientedBSplineTransform")
    return bool(grid) and not part.GetInverseFlag()


def sampled(transform: vtk.vtkAbstractTransform, around: Lattice) -> vtk.vtkAbstractTransform:
    """An oriented grid that follows ``transform`` around the fixed lattice."""
    grid = around.window(
        -np.ceil(PADDING / around.spacing),
        (int(n + 2 * np.ceil(PADDING / s)) for n, s in zip(around.shape, around.spacing, strict=True)),
    ).with_spacing(np.maximum(around.spacing, SAMPLING))
    image = vtk.vtkImageData()
    image.SetDimensions(*grid.shape)
    image.SetSpacing(*grid.spacing)
    image.SetOrigin(*grid.origin)
    points = grid.to_world(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1).reshape(-1, 3))
    moved = vtk.vtkPoints()
    source = vtk.vtkPoints()
    source.SetDataTypeToDouble()
    moved.SetDataTypeToDouble()
    # VTK's image order: I runs fastest.
    ordered = points.reshape(*grid.shape, 3).transpose(2, 1, 0, 3).reshape(-1, 3)
    source.SetData(vtk.util.numpy_support.numpy_to_vtk(np.ascontiguousarray(ordered), deep=True))
    transform.TransformPoints(source, moved)
    shift = vtk.util.numpy_support.vtk_to_numpy(moved.GetData()) - ordered
    scalars = vtk.util.numpy_support.numpy_to_vtk(np.ascontiguousarray(shift), deep=True)
    image.GetPointData().SetScalars(scalars)
    out = slicer.vtkOrientedGridTransform()
    out.SetDisplacementGridData(image)
    directions = vtk.vtkMatrix4x4()
    for row in range(3):
        for column in range(3):
            directions.SetElement(row, column, grid.directions[row, column])
    out.SetGridDirectionMatrix(directions)
    out.SetInterpolationModeToLinear()
    return out

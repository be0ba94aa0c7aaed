"""Transform nodes: read and written as files by MRML's own storage, so that there is one way in and one way out.

The engine's transform maps fixed to moving; in MRML's words it is the transform *from* parent of a node that carries
the moving image to the fixed one. MRML reads the engine's ``.h5`` as exactly that: a ``vtkOrientedGridTransform`` (or,
with a linear part, a ``vtkGeneralTransform`` of both) on a plain ``vtkMRMLTransformNode``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice

if TYPE_CHECKING:
    from dsir.transforms.composite import Transform

SAMPLING = 3.0
"""mm between the samples of a transform that cannot be stored as it is (thin plates, inverted grids)."""

PADDING = 20.0
"""mm around the fixed volume within which such a transform is sampled."""


def load_transform(
    path: Path, scene: slicer.vtkMRMLScene, *, name: str, target: slicer.vtkMRMLTransformNode | None = None
) -> slicer.vtkMRMLTransformNode:
    """A fixed-to-moving transform file as a node.

    Args:
        target: a transform node to overwrite; a new one by default.
    """
    node = target or scene.AddNewNodeByClass("vtkMRMLTransformNode", name)
    node.SetAndObserveTransformFromParent(read_transform(path))
    return node


def place_transform(
    scene: slicer.vtkMRMLScene,
    transform: vtk.vtkAbstractTransform,
    *,
    name: str,
    target: slicer.vtkMRMLTransformNode | None = None,
) -> slicer.vtkMRMLTransformNode:
    """Put a fixed-to-moving transform into a node; one that is linear into a linear transform's.

    Args:
        target: a node to overwrite. A linear transform's node cannot hold a field: another one then takes its place,
            its name and what hangs below it.
    """
    matrix = linear_matrix(transform)
    kind = "vtkMRMLLinearTransformNode" if matrix is not None else "vtkMRMLTransformNode"
    node = target
    if target is None:
        node = scene.AddNewNodeByClass(kind, name)
    elif matrix is None and target.IsA("vtkMRMLLinearTransformNode"):
        node = scene.AddNewNodeByClass(kind, target.GetName())
        for child in slicer.util.getNodesByClass("vtkMRMLTransformableNode", scene):
            if child.GetParentTransformNode() is target:
                child.SetAndObserveTransformNodeID(node.GetID())
        node.SetAndObserveTransformNodeID(target.GetTransformNodeID())
        scene.RemoveNode(target)
    if matrix is not None:
        transform = vtk.vtkTransform()  # SetMatrixTransformFromParent refuses a node that holds a field
        transform.SetMatrix(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformFromParent(transform)
    return node


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


def read_transform(path: Path) -> vtk.vtkAbstractTransform:
    """A fixed-to-moving transform file, linear between the grid's points as everywhere in the engine.

    Raises:
        DsirError: it cannot be read.
    """
    read = slicer.vtkMRMLTransformNode()
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(read):
        raise DsirError("The transform that the engine wrote cannot be read.")
    transform = read.GetTransformFromParent()
    make_linear(transform)
    return transform


def make_linear(transform: vtk.vtkAbstractTransform) -> None:
    """Read grids linearly, as they were optimised. Files do not say how, and MRML takes them as cubic: that differs by
    a tenth of a millimetre where a field is steep, and can fold where the field does not."""
    for part in flatten(transform):
        if part.IsA("vtkOrientedGridTransform"):
            part.SetInterpolationModeToLinear()


def describe_transform(
    node: slicer.vtkMRMLTransformNode,
    fixed: slicer.vtkMRMLScalarVolumeNode,
    moving: slicer.vtkMRMLScalarVolumeNode,
    description: str,
) -> None:
    """Say what the transform joins (DICOM export of spatial registrations asks for it) and how it was made."""
    node.SetDescription(description)
    node.SetNodeReferenceID(slicer.vtkMRMLTransformNode.GetFixedNodeReferenceRole(), fixed.GetID())
    node.SetNodeReferenceID(slicer.vtkMRMLTransformNode.GetMovingNodeReferenceRole(), moving.GetID())


def write_transform(path: Path, node: slicer.vtkMRMLTransformNode, around: Lattice | None) -> None:
    """Write what the node does from the world (fixed) to the moving image, its own parents included, as ``.h5``.

    Linear transforms, grids and their compositions are written exactly; what files cannot hold (inverted grids, thin
    plates) is sampled every 3 mm around the fixed volume.

    Args:
        around: the fixed lattice; None where there is none, which lets only exact ones pass.

    Raises:
        DsirError: it would have to be sampled, and there is no lattice to do it on.
    """
    whole = vtk.vtkGeneralTransform()
    node.GetTransformFromWorld(whole)
    carrier = slicer.vtkMRMLTransformNode()
    if node.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformFromWorld(matrix)
        carrier.SetMatrixTransformFromParent(matrix)
    elif node.GetParentTransformNode() is None and all(map(_storable, flatten(whole))):
        carrier.SetAndObserveTransformFromParent(node.GetTransformFromParent())
    elif around is not None:
        carrier.SetAndObserveTransformFromParent(_sampled(whole, around))
    else:
        raise DsirError(f"{node.GetName()} is of a kind that cannot be stored as it is; give the fixed volume too.")
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(path))
    if not storage.WriteData(carrier):
        raise DsirError(f"The transform {node.GetName()} cannot be written for the engine; is the disk full?")


def transform_of(node: slicer.vtkMRMLTransformNode, around: Lattice | None = None) -> Transform:
    """The engine's transform, fixed to moving, that a node stands for; imports torch."""
    from dsir.files.transforms import read_transform

    with tempfile.TemporaryDirectory(prefix="dsir-") as folder:
        path = Path(folder) / "transform.h5"
        write_transform(path, node, around)
        return read_transform(path)


def flatten(transform: vtk.vtkAbstractTransform) -> list[vtk.vtkAbstractTransform]:
    """The simple parts of a composition, in MRML's own order."""
    found = vtk.vtkCollection()
    slicer.vtkMRMLTransformNode.FlattenGeneralTransform(found, transform)
    return [found.GetItemAsObject(n) for n in range(found.GetNumberOfItems())]


def map_points(node: slicer.vtkMRMLTransformNode | None, points: np.ndarray, *, to_moving: bool) -> np.ndarray:
    """World points (N, 3) of the fixed image to the moving one, or back (VTK's numeric inverse); for cursors."""
    if node is None:
        return np.array(points, dtype=np.float64)
    general = vtk.vtkGeneralTransform()
    if to_moving:
        node.GetTransformFromWorld(general)
    else:
        node.GetTransformToWorld(general)
    return np.array([general.TransformPoint(*point) for point in np.asarray(points, dtype=np.float64)])


def _storable(part: vtk.vtkAbstractTransform) -> bool:
    if part.IsA("vtkLinearTransform"):
        return True
    grid = part.IsA("vtkOrientedGridTransform") or part.IsA("vtkOrientedBSplineTransform")
    return bool(grid) and not part.GetInverseFlag()


def _sampled(transform: vtk.vtkAbstractTransform, around: Lattice) -> vtk.vtkAbstractTransform:
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

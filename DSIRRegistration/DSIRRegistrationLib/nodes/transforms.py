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

from .vtk_transforms import flatten, linear_matrix, make_linear, sampled, storable

if TYPE_CHECKING:
    from dsir.transforms.composite import Transform


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
    elif node.GetParentTransformNode() is None and all(map(storable, flatten(whole))):
        carrier.SetAndObserveTransformFromParent(node.GetTransformFromParent())
    elif around is not None:
        carrier.SetAndObserveTransformFromParent(sampled(whole, around))
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

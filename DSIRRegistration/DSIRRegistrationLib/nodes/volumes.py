"""Volume nodes: where their voxels lie in the world, and how they come and go as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice

if TYPE_CHECKING:
    from dsir.geometry.image import Image


def is_below(node: slicer.vtkMRMLTransformableNode, transform: slicer.vtkMRMLTransformNode | None) -> bool:
    """Whether the transform is among the node's parents."""
    parent = node.GetParentTransformNode()
    while parent is not None and parent is not transform:
        parent = parent.GetParentTransformNode()
    return parent is not None


def matrix_to_world(
    node: slicer.vtkMRMLTransformableNode, *, below: slicer.vtkMRMLTransformNode | None = None
) -> np.ndarray:
    """(4, 4) from the node's own coordinates to the world, RAS mm; through all its parent transforms.

    Args:
        below: one that does not count, nor those above it, where it is among them: the result of a former run.

    Raises:
        DsirError: one of the parents is not linear.
    """
    parent, below = node.GetParentTransformNode(), below if is_below(node, below) else None
    if parent is below:
        return np.eye(4)
    if not parent.IsTransformToNodeLinear(below):
        raise DsirError(
            f"{node.GetName()} is under the non-linear transform {parent.GetName()}; take it out of the transform, or "
            "harden a copy, and register that. (A non-linear start belongs into the field for the initial transform.)"
        )
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToNode(below, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def lattice_of(node: slicer.vtkMRMLScalarVolumeNode, *, below: slicer.vtkMRMLTransformNode | None = None) -> Lattice:
    """Where the voxels lie in the world: (I, J, K) and the index-to-RAS affine; ``below`` as in matrix_to_world.

    Raises:
        DsirError: no voxels, a single slice, a non-linear parent, or axes that are not at right angles.
    """
    data = node.GetImageData()
    if data is None or min(data.GetDimensions()) < 1:
        raise DsirError(f"{node.GetName()} holds no voxels.")
    if min(data.GetDimensions()) < 2:
        raise DsirError(f"{node.GetName()} is a single slice; a 3-D volume is needed.")
    if data.GetNumberOfScalarComponents() != 1:
        raise DsirError(f"{node.GetName()} has several values for each voxel (colour?); a scalar volume is needed.")
    own = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(own)
    try:
        return Lattice(data.GetDimensions(), matrix_to_world(node, below=below) @ slicer.util.arrayFromVTKMatrix(own))
    except DsirError as error:
        raise DsirError(f"{node.GetName()}: {error}") from None


def array_of(node: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """(I, J, K) view of the voxels; reading only."""
    return slicer.util.arrayFromVolume(node).transpose(2, 1, 0)


def image_of(node: slicer.vtkMRMLScalarVolumeNode) -> Image:
    """The volume as the engine's image, in world RAS; imports torch."""
    import torch
    from dsir.geometry.image import Image

    return Image(torch.from_numpy(np.ascontiguousarray(array_of(node), dtype=np.float32)), lattice_of(node))


def write_volume(
    path: Path, node: slicer.vtkMRMLScalarVolumeNode, *, below: slicer.vtkMRMLTransformNode | None = None
) -> None:
    """Write the voxels with their world affine; uncompressed ``.nii`` takes a moment, ``.nii.gz`` seconds."""
    write_array(path, array_of(node), lattice_of(node, below=below))


def write_array(path: Path, values: np.ndarray, lattice: Lattice) -> None:
    """Write (I, J, K) values that lie on ``lattice``."""
    from dsir.files import nifti

    nifti.write(path, values.astype(nifti.storable(values.dtype), copy=False), lattice.affine)


def read_array(path: Path) -> np.ndarray:
    """Values of a file that the engine wrote, (I, J, K[, C])."""
    from dsir.files import nifti

    return nifti.read(path)[0]


def place_volume(
    values: np.ndarray | vtk.vtkImageData,
    like: slicer.vtkMRMLScalarVolumeNode,
    *,
    name: str,
    target: slicer.vtkMRMLScalarVolumeNode | None = None,
    node_class: str = "vtkMRMLScalarVolumeNode",
    window: tuple[float, float] | None = None,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Put (I, J, K) values, or VTK's own image of them, into a volume that lies in the scene as ``like`` does.

    Args:
        target: a volume to overwrite; a new one by default.
        window: width and level to show it with; VTK looks for good ones otherwise, at all voxels, which takes long.
    """
    node = target or like.GetScene().AddNewNodeByClass(node_class, name)
    matrix = vtk.vtkMatrix4x4()
    like.GetIJKToRASMatrix(matrix)
    if window is not None:
        node.CreateDefaultDisplayNodes()  # while it is empty, and so has nothing to look at
        node.GetDisplayNode().AutoWindowLevelOff()
        node.GetDisplayNode().SetWindowLevel(*window)
    with slicer.util.NodeModify(node):
        if isinstance(values, np.ndarray):
            slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(values.transpose(2, 1, 0)))
        else:
            node.SetAndObserveImageData(values)
        node.SetIJKToRASMatrix(matrix)
        node.SetAndObserveTransformNodeID(like.GetTransformNodeID())
        node.CreateDefaultDisplayNodes()
    return node


def place_vectors(
    values: np.ndarray, lattice: Lattice, beside: slicer.vtkMRMLVolumeNode, *, name: str
) -> slicer.vtkMRMLVectorVolumeNode:
    """Put (I, J, K, C) values on a world lattice into a new vector volume."""
    node = beside.GetScene().AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(values.transpose(2, 1, 0, 3)))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(lattice.affine.ravel())
    node.SetIJKToRASMatrix(matrix)
    node.CreateDefaultDisplayNodes()
    return node


def window_of(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    """Width and level that a volume is shown with; of some of its voxels where it is not shown."""
    display = node.GetDisplayNode()
    if display is not None and display.GetWindow():
        return display.GetWindow(), display.GetLevel()
    low, high = np.percentile(array_of(node)[::7, ::7, ::7], (1, 99))
    return float(max(high - low, 1)), float(high + low) / 2


def hang_below(moving: slicer.vtkMRMLScalarVolumeNode, transform: slicer.vtkMRMLTransformNode) -> None:
    """Put the volume under the transform, behind a copy of the linear transform it stood under."""
    if is_below(moving, transform):
        return  # from a former run
    parent = moving.GetParentTransformNode()
    if parent is None:
        moving.SetAndObserveTransformNodeID(transform.GetID())
        return
    between = moving.GetScene().AddNewNodeByClass("vtkMRMLTransformNode", f"{parent.GetName()} (DSIR)")
    matrix = slicer.util.vtkMatrixFromArray(slicer.util.arrayFromTransformMatrix(parent, toWorld=True))
    between.SetMatrixTransformToParent(matrix)
    between.SetAndObserveTransformNodeID(transform.GetID())
    moving.SetAndObserveTransformNodeID(between.GetID())

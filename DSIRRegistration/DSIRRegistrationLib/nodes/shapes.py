"""Markups and models: their points in the world, and clones with other points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .volumes import matrix_to_world

POINT_MARKUPS = (
    "vtkMRMLMarkupsFiducialNode",
    "vtkMRMLMarkupsLineNode",
    "vtkMRMLMarkupsAngleNode",
    "vtkMRMLMarkupsCurveNode",
    "vtkMRMLMarkupsClosedCurveNode",
)
"""Markups that are their control points; a plane or a box has a frame as well, which a warp would break."""


@dataclass(frozen=True, eq=False)
class Points:
    """The points of one node, in world RAS mm.

    Attributes:
        node: a markups or model node.
        places: (N, 3).
        indices: which control points they are; empty for models, whose points are all there.
    """

    node: slicer.vtkMRMLDisplayableNode
    places: np.ndarray
    indices: tuple[int, ...] = ()


def points_of(node: slicer.vtkMRMLDisplayableNode) -> Points:
    """The points of a markups or model node; control points that are not placed yet are left out.

    Raises:
        DsirError: another kind of node, a model of lines, no points, or a non-linear parent transform.
    """
    if node.IsA("vtkMRMLModelNode"):
        mesh = node.GetMesh()
        if mesh is None or not mesh.GetNumberOfPoints():
            raise DsirError(f"{node.GetName()} has no points.")
        places = vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float64)
        return Points(node, _through(matrix_to_world(node), places))
    if node.GetClassName() not in POINT_MARKUPS:
        raise DsirError(f"{node.GetName()} cannot be propagated; points, lines, angles, curves and models can.")
    defined = slicer.vtkMRMLMarkupsNode.PositionDefined
    indices = [n for n in range(node.GetNumberOfControlPoints()) if node.GetNthControlPointPositionStatus(n) == defined]
    if not indices:
        raise DsirError(f"{node.GetName()} has no points.")
    own = np.array([node.GetNthControlPointPosition(n) for n in indices])
    return Points(node, _through(matrix_to_world(node), own), tuple(indices))


def place_points(points: Points, places: np.ndarray, *, name: str) -> slicer.vtkMRMLDisplayableNode:
    """A clone of the node with other points (N, 3), world RAS mm, under no transform."""
    source = points.node
    clone = source.GetScene().AddNewNodeByClass(source.GetClassName(), name)
    clone.CreateDefaultDisplayNodes()
    if source.GetDisplayNode() and clone.GetDisplayNode():
        clone.GetDisplayNode().CopyContent(source.GetDisplayNode(), True)
    if source.IsA("vtkMRMLModelNode"):
        clone.SetAndObserveMesh(_moved_mesh(source.GetMesh(), places))
        return clone
    clone.CopyContent(source, True)
    clone.SetAndObserveTransformNodeID(None)
    clone.SetLocked(source.GetLocked())
    with slicer.util.NodeModify(clone):
        for index, place in zip(points.indices, places, strict=True):
            clone.SetNthControlPointPosition(index, *place)
    return clone


def paired_points(fixed: slicer.vtkMRMLMarkupsNode, moving: slicer.vtkMRMLMarkupsNode) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks in pairs: by their labels where all of them match, else by their order. (N, 3) each, world RAS mm.

    Raises:
        DsirError: the counts differ, or there are none.
    """
    a, b = points_of(fixed), points_of(moving)
    if len(a.places) != len(b.places):
        raise DsirError(
            f"{fixed.GetName()} has {len(a.places)} points and {moving.GetName()} has {len(b.places)}; landmarks are "
            "compared in pairs."
        )
    labels = [[p.node.GetNthControlPointLabel(n) for n in p.indices] for p in (a, b)]
    if set(labels[0]) == set(labels[1]) and len(set(labels[0])) == len(labels[0]):
        return a.places, b.places[[labels[1].index(label) for label in labels[0]]]
    return a.places, b.places


def _moved_mesh(mesh: vtk.vtkPointSet, places: np.ndarray) -> vtk.vtkPointSet:
    copy = mesh.NewInstance()
    copy.DeepCopy(mesh)
    moved = vtk.vtkPoints()
    moved.SetData(numpy_to_vtk(np.ascontiguousarray(places, dtype=np.float32), deep=True))
    copy.SetPoints(moved)
    if copy.IsA("vtkPolyData") and copy.GetPointData().GetNormals() is not None:
        normals = vtk.vtkPolyDataNormals()
        normals.SetInputData(copy)
        normals.SplittingOff()
        normals.ConsistencyOff()
        normals.Update()
        copy = normals.GetOutput()
    return copy


def _through(matrix: np.ndarray, points: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
    return np.asarray(points) @ matrix[:3, :3].T + matrix[:3, 3]

"""Pairs of points that belong together: accepted matches or placed by hand, two markups nodes saved with the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from dsir.files.landmarks import LandmarkPairs

from .nodes.transforms import map_points
from .roles import FIXED, MOVING, OTHER

if TYPE_CHECKING:
    from .similarity import Shown

    Volume: TypeAlias = slicer.vtkMRMLScalarVolumeNode
    Points: TypeAlias = slicer.vtkMRMLMarkupsFiducialNode

COLOURS = {FIXED: (1.0, 0.81, 0.2), MOVING: (0.37, 0.96, 0.89)}


class Pairs:
    """Point n of the one node belongs to point n of the other.

    A node that we make follows its volume through transforms, so that its own coordinates are the volume's.

    Args:
        nodes: of the fixed and of the moving volume; new ones are made for the first pair where they are None.
    """

    def __init__(
        self, fixed: Volume, moving: Volume, nodes: tuple[Points | None, Points | None] = (None, None)
    ) -> None:
        self.volumes = {FIXED: fixed, MOVING: moving}
        self.nodes = dict(zip((FIXED, MOVING), nodes, strict=True))

    def __len__(self) -> int:
        return min(_count(node) for node in self.nodes.values())

    def accept(self, shown: Shown) -> None:
        """Add a click and its best match."""
        sides = {shown.side: shown.point, OTHER[shown.side]: shown.match}
        self.add(sides[FIXED], sides[MOVING], confidence=1.0 if shown.chance is None else shown.chance)

    def add(self, fixed: np.ndarray, moving: np.ndarray, *, confidence: float = 1.0) -> None:
        """Add a pair of world points."""
        for side, point in ((FIXED, fixed), (MOVING, moving)):
            node = self.nodes[side] = self.nodes[side] or self._made(side)
            node.SetAndObserveTransformNodeID(self.volumes[side].GetTransformNodeID())
            number = node.AddControlPointWorld(vtk.vtkVector3d(*map(float, point)))
            node.SetNthControlPointLabel(number, str(number + 1))
            node.SetNthControlPointDescription(number, f"confidence {confidence:.3f}")

    def take_back(self) -> None:
        """Remove the last pair."""
        last = len(self) - 1
        for node in self.nodes.values():
            if last >= 0:
                node.RemoveNthControlPoint(last)

    def _made(self, side: str) -> Points:
        node = self.volumes[side].GetScene().AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", f"DSIR pairs ({side})")
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSelectedColor(*COLOURS[side])
        node.GetDisplayNode().SetGlyphTypeFromString("CrossDot2D")
        node.SetMarkupLabelFormat("%d")
        node.SetLocked(True)
        return node


def landmarks(fixed: Points, moving: Points, *, below: slicer.vtkMRMLTransformNode | None = None) -> LandmarkPairs:
    """Two markups nodes as the engine takes them, RAS mm: of the world, and of the moving scan before ``below``.

    Args:
        below: the transform that is being made: what it does to a moving scan that hangs below it is not there yet.

    Raises:
        DsirError: the counts differ.
    """
    if _count(fixed) != _count(moving):
        raise DsirError(
            f"{fixed.GetName()} has {_count(fixed)} points and {moving.GetName()} has {_count(moving)}: pairs need the "
            "same points in both, in the same order."
        )
    found = LandmarkPairs.none()
    ours, theirs = _points(fixed, None), _points(moving, below)
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        words = fixed.GetNthControlPointDescription(number).split()
        confidence = float(words[1]) if words[:1] == ["confidence"] else 1.0
        found = found.with_pair(a, b, confidence=confidence)
    return found


def apart(pairs: LandmarkPairs, transform: slicer.vtkMRMLTransformNode | None) -> np.ndarray:
    """(N,) mm between where a transform puts the fixed points and where their partners are."""
    return np.linalg.norm(map_points(transform, pairs.fixed, to_moving=True) - pairs.moving, axis=1)


def _count(node: Points | None) -> int:
    return node.GetNumberOfControlPoints() if node is not None else 0


def _points(node: Points, below: slicer.vtkMRMLTransformNode | None) -> np.ndarray:
    """(N, 3) through the transforms above a node, up to the world or to just below one of them."""
    whole = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), below, whole)
    own = (node.GetNthControlPointPosition(n) for n in range(node.GetNumberOfControlPoints()))
    return np.array([whole.TransformPoint(*point) for point in own]).reshape(-1, 3)

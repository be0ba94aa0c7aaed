"""Pairs of points that belong together: accepted matches or placed by hand, two markups nodes saved with the scene."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
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


@dataclass(frozen=True, eq=False)
class Pair:
    """Two world points (3,) RAS mm that belong together; the chance that they do; what they are called."""

    fixed: np.ndarray
    moving: np.ndarray
    confidence: float
    name: str


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

    def add(self, fixed: np.ndarray, moving: np.ndarray, *, confidence: float = 1.0, name: str = "") -> None:
        """Add a pair of world points; by default it is called by the first number that is free."""
        name = name or self._free_number()
        for side, point in ((FIXED, fixed), (MOVING, moving)):
            node = self.nodes[side] = self.nodes[side] or self._made(side)
            node.SetAndObserveTransformNodeID(self.volumes[side].GetTransformNodeID())
            number = node.AddControlPointWorld(vtk.vtkVector3d(*map(float, point)))
            node.SetNthControlPointLabel(number, name)
            node.SetNthControlPointDescription(number, f"confidence {confidence:.3f}")

    def take_back(self) -> None:
        """Remove the last pair."""
        if len(self):
            self.remove(len(self) - 1)

    def remove(self, number: int) -> None:
        """Remove one pair; the others keep their names."""
        for node in self.nodes.values():
            node.RemoveNthControlPoint(number)

    def rename(self, number: int, name: str) -> None:
        """Call a pair differently."""
        for node in self.nodes.values():
            node.SetNthControlPointLabel(number, name)

    def records(self) -> tuple[Pair, ...]:
        """All pairs, apart from the scene."""
        if not len(self):
            return ()
        found = landmarks(*self.nodes.values())
        names = [self.nodes[FIXED].GetNthControlPointLabel(n) for n in range(len(self))]
        return tuple(
            Pair(a, b, float(c), name)
            for a, b, c, name in zip(found.fixed, found.moving, found.confidence, names, strict=True)
        )

    def restore(self, records: Iterable[Pair]) -> None:
        """These pairs in the place of the present ones."""
        for node in filter(None, self.nodes.values()):
            node.RemoveAllControlPoints()
        for pair in records:
            self.add(pair.fixed, pair.moving, confidence=pair.confidence, name=pair.name)

    def _free_number(self) -> str:
        node = self.nodes[FIXED]
        taken = {node.GetNthControlPointLabel(n) for n in range(_count(node))}
        return next(str(number) for number in count(1) if str(number) not in taken)

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

"""The scene as a whole: what a failed step added goes away again, and results find their place in the tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import slicer
import vtk


@contextmanager
def all_or_nothing(scene: slicer.vtkMRMLScene) -> Iterator[None]:
    """Nodes that were added inside are removed again when something goes wrong there."""
    before = {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
    try:
        yield
    except BaseException:
        added = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
        for node in reversed([node for node in added if node.GetID() not in before]):
            if node.GetScene() is scene and not node.IsA("vtkMRMLSubjectHierarchyNode"):
                scene.RemoveNode(node)
        raise


def is_in_scene(*nodes: vtk.vtkObject | None) -> bool:
    """Whether all of these nodes (None counts as present) are still in a scene."""
    return all(node is None or node.GetScene() is not None for node in nodes)


def place_beside(node: slicer.vtkMRMLNode, neighbour: slicer.vtkMRMLNode) -> None:
    """Move a node below the same parent (study, folder) in the subject hierarchy as ``neighbour``."""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(neighbour.GetScene())
    if tree is None:
        return
    beside = tree.GetItemByDataNode(neighbour)
    if not beside:
        return
    parent, item = tree.GetItemParent(beside), tree.GetItemByDataNode(node)
    if item:
        tree.SetItemParent(item, parent)
    else:
        tree.CreateItem(parent, node)  # outside the application nobody makes items for new nodes

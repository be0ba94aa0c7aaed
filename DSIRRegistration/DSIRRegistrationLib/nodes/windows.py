"""The window (width and level) a scan is shown with: one that fits its modality, so that organs can be told."""

from __future__ import annotations

import slicer
from dsir.geometry.windows import CT_WINDOWS, fitting_window, is_ct

from .volumes import array_of

FITTING, AS_FIXED = "fitting", "as fixed"
CHOICES = (FITTING, AS_FIXED, *CT_WINDOWS)
"""How both scans of a pair may be shown."""


def shows_ct(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether the values are Hounsfield units: DICOM says so, or they look like it."""
    said = _modality(node)
    return said == "CT" if said else is_ct(array_of(node))


def show_with(choice: str, fixed: slicer.vtkMRMLScalarVolumeNode, *others: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Set the windows of a pair: one of :data:`CHOICES`. CT windows change CTs alone."""
    for node in (fixed, *others):
        if choice in CT_WINDOWS and shows_ct(node):
            _set(node, CT_WINDOWS[choice])
        elif choice == FITTING:
            _set(node, fitting_window(array_of(node)))
        elif choice == AS_FIXED and node is not fixed and fixed.GetDisplayNode() is not None:
            display = fixed.GetDisplayNode()
            _set(node, (display.GetWindowLevelMin(), display.GetWindowLevelMax()))


def chosen_by_hand(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether somebody has set the window; Slicer's own is automatic."""
    display = node.GetDisplayNode()
    return display is not None and not display.GetAutoWindowLevel()


def _set(node: slicer.vtkMRMLScalarVolumeNode, greys: tuple[float, float]) -> None:
    """Lowest and highest grey."""
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevelMinMax(*greys)


def _modality(node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """As the series says in the subject hierarchy; empty where it does not."""
    scene = node.GetScene()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene is not None else None
    item = tree.GetItemByDataNode(node) if tree is not None else 0
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return (tree.GetItemAttribute(item, name) or "") if item else ""

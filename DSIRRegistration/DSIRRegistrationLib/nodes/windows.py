"""The window (width and level) a scan is shown with: one that fits its modality, so that organs can be told."""

from __future__ import annotations

import numpy as np
import slicer

from .volumes import array_of

CT_WINDOWS = {"soft tissue": (400.0, 40.0), "lung": (1500.0, -600.0), "bone": (2000.0, 300.0), "brain": (80.0, 40.0)}
"""Width and level in HU, as radiologists use them."""

FITTING, AS_FIXED = "fitting", "as fixed"
CHOICES = (FITTING, AS_FIXED, *CT_WINDOWS)
"""How both scans of a pair may be shown."""

AIR, DENSE = -900, 3200
"""HU: a CT has air below the first (or was cut at -1000 or so), and nothing but metal above the second."""


def is_ct(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether the values are Hounsfield units: DICOM says so, or they look like it."""
    said = _modality(node)
    if said:
        return said == "CT"
    values = array_of(node)[::5, ::5, ::5]
    return bool(values.size) and values.min() <= AIR and np.percentile(values, 99.9) < DENSE and values.max() > 0


def fitting(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    """Width and level: soft tissue for a CT; else from the 1st to the 99.5th percentile of what is not background."""
    if is_ct(node):
        return CT_WINDOWS["soft tissue"]
    values = array_of(node)[::3, ::3, ::3]
    body = values[values > values.min()] if values.size else values
    low, high = np.percentile(body, (1, 99.5)) if body.size else (0.0, 1.0)
    return float(max(high - low, 1e-6)), float(high + low) / 2


def show_with(choice: str, fixed: slicer.vtkMRMLScalarVolumeNode, *others: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Set the windows of a pair: one of :data:`CHOICES`. CT windows change CTs alone."""
    for node in (fixed, *others):
        if choice in CT_WINDOWS and is_ct(node):
            _set(node, CT_WINDOWS[choice])
        elif choice == FITTING:
            _set(node, fitting(node))
        elif choice == AS_FIXED and node is not fixed and fixed.GetDisplayNode() is not None:
            display = fixed.GetDisplayNode()
            _set(node, (display.GetWindow(), display.GetLevel()))


def chosen_by_hand(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Whether somebody has set the window; Slicer's own is automatic."""
    display = node.GetDisplayNode()
    return display is not None and not display.GetAutoWindowLevel()


def _set(node: slicer.vtkMRMLScalarVolumeNode, window: tuple[float, float]) -> None:
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(*window)


def _modality(node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """As the series says in the subject hierarchy; empty where it does not."""
    scene = node.GetScene()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene is not None else None
    item = tree.GetItemByDataNode(node) if tree is not None else 0
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return (tree.GetItemAttribute(item, name) or "") if item else ""

"""The warped moving image in squares over the fixed one: edges that break at a square's border lie apart."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util

SQUARE = 24.0
"""mm, the edge of a square of the checkerboard."""


def squares(shape: tuple[int, int, int], spacing: np.ndarray) -> np.ndarray:
    """(I, J, K) bool: every second cube of :data:`SQUARE` mm.

    >>> squares((4, 1, 1), np.array([12.0, 12.0, 12.0])).ravel().tolist()
    [False, False, True, True]
    """
    steps = [(np.arange(n) * mm // SQUARE).astype(int) for n, mm in zip(shape, spacing, strict=True)]
    return (steps[0][:, None, None] + steps[1][None, :, None] + steps[2][None, None, :]) % 2 == 1


def checkerboard(warped: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume of the scene that shows ``warped`` in every second square and nothing in the others."""
    values = slicer.util.arrayFromVolume(warped).astype(np.float32)
    nothing = float(values.min()) - 1.0
    shown = squares(values.shape[::-1], np.array(warped.GetSpacing())).transpose(2, 1, 0)
    node = warped.GetScene().AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{warped.GetName()} in squares")
    slicer.util.updateVolumeFromArray(node, np.where(shown, values, nothing))
    node.CopyOrientation(warped)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(warped.GetDisplayNode().GetWindow(), warped.GetDisplayNode().GetLevel())
    display.AutoThresholdOff()
    display.SetThreshold(nothing + 0.5, float(values.max()) + 1.0)
    display.ApplyThresholdOn()
    display.InterpolateOff()  # else the borders of the squares would mix with nothing
    return node

"""Two volumes in one, square by square: across modalities edges must go on from square to square."""

from __future__ import annotations

import numpy as np
import slicer

from .volumes import array_of, lattice_of, place_volume

SQUARE = 20.0
"""mm."""


def place_checkerboard(
    fixed: slicer.vtkMRMLScalarVolumeNode,
    warped: slicer.vtkMRMLScalarVolumeNode,
    *,
    target: slicer.vtkMRMLScalarVolumeNode | None = None,
) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume that shows ``fixed`` and ``warped`` (on the same voxels) in turn, each in its own window; not saved."""
    spacing = lattice_of(fixed).spacing
    shape = array_of(fixed).shape
    squares = [(np.arange(n) * s // SQUARE).astype(int) for n, s in zip(shape, spacing, strict=True)]
    odd = (squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :]) % 2 == 1
    node = place_volume(np.where(odd, _shown(warped), _shown(fixed)), fixed, name="DSIR checkerboard", target=target)
    node.SetSaveWithScene(False)
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(1.0, 0.5)
    return node


def _shown(node: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """(I, J, K) grey values 0..1 as the node's window shows them; its 1st to 99th percentile where it has none."""
    values = array_of(node).astype(np.float32)
    display = node.GetDisplayNode()
    if display is not None and not display.GetAutoWindowLevel() and display.GetWindow() > 0:
        low, width = display.GetLevel() - display.GetWindow() / 2, display.GetWindow()
    else:
        low, high = np.percentile(values[::3, ::3, ::3], (1, 99))
        width = max(float(high - low), 1e-6)
    return np.clip((values - low) / width, 0, 1)

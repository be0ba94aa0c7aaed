"""Colour tables of maps: a few anchors, evenly spaced, with what lies between interpolated."""

from __future__ import annotations

import numpy as np
import slicer

Anchors = tuple[tuple[float, float, float], ...]
"""Red, green and blue, 0 to 1, from the lowest value to the highest."""

MAGMA: Anchors = (
    (0.00, 0.00, 0.02), (0.11, 0.06, 0.27), (0.32, 0.07, 0.48), (0.51, 0.15, 0.51), (0.72, 0.22, 0.47),
    (0.90, 0.31, 0.39), (0.98, 0.53, 0.38), (1.00, 0.76, 0.53), (0.99, 0.99, 0.75),
)  # fmt: skip
"""Black through violet and orange to pale yellow, evenly bright steps (matplotlib's magma at nine places)."""

VIRIDIS: Anchors = (
    (0.27, 0.00, 0.33), (0.28, 0.19, 0.50), (0.21, 0.36, 0.55), (0.15, 0.50, 0.56), (0.13, 0.66, 0.52),
    (0.48, 0.82, 0.32), (0.99, 0.91, 0.14),
)  # fmt: skip
"""Violet to yellow, told apart by colour-blind people too."""

SHRINK_GROW: Anchors = (
    (0.02, 0.19, 0.38), (0.13, 0.40, 0.67), (0.57, 0.77, 0.87), (0.97, 0.97, 0.97), (0.96, 0.65, 0.51),
    (0.70, 0.09, 0.17), (0.40, 0.00, 0.12),
)  # fmt: skip
"""Blue below the middle, white in it, red above (matplotlib's RdBu, turned round)."""


def between(anchors: Anchors, share: float) -> tuple[float, float, float]:
    """The colour at a share of the way from the lowest to the highest.

    >>> between(((0.0, 0.0, 0.0), (1.0, 0.5, 0.0)), 0.5)
    (0.5, 0.25, 0.0)
    """
    places = np.linspace(0, 1, len(anchors))
    red, green, blue = (float(np.interp(share, places, channel)) for channel in np.array(anchors).T)
    return red, green, blue


def colour_table(scene: slicer.vtkMRMLScene, name: str, anchors: Anchors) -> slicer.vtkMRMLColorTableNode:
    """256 colours as a node of the scene."""
    table = slicer.vtkMRMLColorTableNode()
    table.SetName(name)
    table.SetTypeToUser()
    table.SetNumberOfColors(256)
    table.SetHideFromEditors(True)
    for number, share in enumerate(np.linspace(0, 1, 256)):
        table.SetColor(number, f"{share:.2f}", *between(anchors, float(share)), 1.0)
    table.GetLookupTable().SetRange(0, 255)
    return scene.AddNode(table)

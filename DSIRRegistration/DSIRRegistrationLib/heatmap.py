"""The heat map of a query as a volume of the scene: one node, filled anew at each click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util
import vtk

from .nodes.colours import MAGMA, colour_table

if TYPE_CHECKING:
    from dsir.similarity.query import Answer

NAME = "Similarity"
THRESHOLD = 0.3
"""Cosine below which the anatomy shows through."""


class HeatMap:
    """A scalar volume, its colours, its legend and the cursors beside it.

    The volume lies on the searched image's own coordinates and follows it through transforms. Nothing of it is saved
    with the scene.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self.scene = scene
        self.volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", NAME)
        self.colours = colour_table(scene, "DSIR similarity", MAGMA)
        self.volume.CreateDefaultDisplayNodes()
        display = self.display
        display.SetAndObserveColorNodeID(self.colours.GetID())
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, 1.0)
        display.AutoThresholdOff()
        display.SetThreshold(THRESHOLD, 1.01)
        display.ApplyThresholdOn()
        display.InterpolateOn()
        for node in (self.volume, display, self.colours):
            node.SetSaveWithScene(False)
        self._shape: tuple[int, ...] = ()

    @property
    def display(self) -> slicer.vtkMRMLScalarVolumeDisplayNode:
        """Window, colours and threshold of the volume."""
        return self.volume.GetDisplayNode()

    @property
    def threshold(self) -> float:
        """Cosine below which nothing is drawn."""
        return self.display.GetLowerThreshold()

    @threshold.setter
    def threshold(self, value: float) -> None:
        self.display.SetThreshold(float(value), 1.01)

    def show(self, answer: Answer, over: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Show what a query found in the volume ``over`` (whose own coordinates the answer is in)."""
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(answer.lattice.affine.ravel())
        with slicer.util.NodeModify(self.volume):
            values = answer.similarity.transpose(2, 1, 0)
            if self._shape == values.shape:  # fill the memory that the views know already
                slicer.util.arrayFromVolume(self.volume)[:] = values
                slicer.util.arrayFromVolumeModified(self.volume)
            else:
                slicer.util.updateVolumeFromArray(self.volume, np.ascontiguousarray(values))
                self._shape = values.shape
            self.volume.SetIJKToRASMatrix(matrix)
            self.volume.SetAndObserveTransformNodeID(over.GetTransformNodeID())

    def legend(self, visible: bool = True) -> slicer.vtkMRMLColorLegendDisplayNode:
        """Show (or hide) the colour legend in the slice views."""
        if not self.scene.GetTagByClassName("vtkMRMLColorLegendDisplayNode"):  # the Colors module has done it in Slicer
            self.scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
        legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(self.volume)
        legend.SetTitleText("cosine")
        legend.SetLabelFormat("%.1f")
        legend.SetMaxNumberOfColors(256)
        legend.SetNumberOfLabels(3)
        legend.SetSize(0.09, 0.35)
        legend.SetPosition(0.98, 0.5)
        legend.SetVisibility(visible)
        legend.SetSaveWithScene(False)
        return legend

    def kept(self, name: str) -> slicer.vtkMRMLScalarVolumeNode:
        """A copy of the volume under a name of its own, which outlives this and is saved with the scene."""
        node = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        node.CopyContent(self.volume, True)
        node.SetAndObserveTransformNodeID(self.volume.GetTransformNodeID())
        node.SetSaveWithScene(True)
        node.CreateDefaultDisplayNodes()
        return node

    def remove(self) -> None:
        """Take everything out of the scene again."""
        legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(self.volume)
        for node in (legend, self.display, self.volume, self.colours):
            if node is not None and self.scene.IsNodePresent(node):
                self.scene.RemoveNode(node)

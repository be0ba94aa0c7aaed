"""Two rows of slice views while points are asked for: the fixed scan above, the moving one below, linked.

Works on the scene alone: the layout node says what is shown, and the application (or a test) follows. The user's own
layout comes back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
import vtk

from . import views
from .roles import FIXED, MOVING, OTHER

LAYOUT = 7317
"""Number of our layout; Slicer's own lie below 100, and extensions take what nobody has."""

PLANES = ("Axial", "Coronal", "Sagittal")
GROUPS = {FIXED: 7317, MOVING: 7318}
"""View group of each row: what Slicer links by itself, it links within a row."""

COLOURS = {"Axial": "#F34A33", "Coronal": "#6EB04B", "Sagittal": "#EDD54C"}
"""Slicer's red, green and yellow."""

Mapping = Callable[[str, np.ndarray], np.ndarray]
"""Side and world point (3,) to where it lies on the other side."""


def tag(side: str, plane: str) -> str:
    """Name of a view."""
    return f"DSIR{side.capitalize()}{plane}"


def description() -> str:
    """The layout as Slicer reads it."""
    rows = ""
    for side in (FIXED, MOVING):
        cells = "".join(
            f'<item><view class="vtkMRMLSliceNode" singletontag="{tag(side, plane)}">'
            f'<property name="orientation" action="default">{plane}</property>'
            f'<property name="viewlabel" action="default">{side[0].upper()}{plane[0]}</property>'
            f'<property name="viewcolor" action="default">{COLOURS[plane]}</property>'
            f'<property name="viewgroup" action="default">{GROUPS[side]}</property></view></item>'
            for plane in PLANES
        )
        rows += f'<item><layout type="horizontal">{cells}</layout></item>'
    return f'<layout type="vertical">{rows}</layout>'


class TwoRows:
    """The layout, while it is on.

    Args:
        volumes: side to its scan.
        mapping: where a point of one side lies on the other; scrolling, panning and zooming follow it.
    """

    def __init__(self, volumes: dict[str, slicer.vtkMRMLScalarVolumeNode], mapping: Mapping) -> None:
        self.volumes, self._mapping = volumes, mapping
        self._scene = volumes[FIXED].GetScene()
        self._own: int | None = None
        self._following = False
        self._tags: list[tuple[vtk.vtkObject, int]] = []

    @property
    def on(self) -> bool:
        """Whether it is shown."""
        return self._own is not None

    def enter(self) -> None:
        """Show it; remembers the user's layout."""
        layout = _layout(self._scene)
        if layout is None or self.on:
            return
        self._own = layout.GetViewArrangement()
        if not layout.IsLayoutDescription(LAYOUT):
            layout.AddLayoutDescription(LAYOUT, description())
        layout.SetViewArrangement(LAYOUT)
        for side, volume in self.volumes.items():
            for plane in PLANES:
                composite = self._scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag(side, plane)}")
                if composite is not None:
                    composite.SetBackgroundVolumeID(volume.GetID())
                    composite.SetForegroundVolumeID(None)
        views.fit([tag(side, plane) for side in (FIXED, MOVING) for plane in PLANES])
        for side in (FIXED, MOVING):
            for node in self.nodes(side):
                mark = node.AddObserver(
                    vtk.vtkCommand.ModifiedEvent, lambda *_, side=side, node=node: self._follow(side, node)
                )
                self._tags.append((node, mark))
        for node in self.nodes(FIXED):
            self._follow(FIXED, node)

    def leave(self) -> None:
        """The user's layout again, unless another one was chosen meanwhile."""
        for node, mark in self._tags:
            node.RemoveObserver(mark)
        layout, own, self._own, self._tags = _layout(self._scene), self._own, None, []
        if own is None or layout is None:
            return
        if layout.GetViewArrangement() == LAYOUT:
            layout.SetViewArrangement(own)
        for side in (FIXED, MOVING):
            for plane in PLANES:
                composite = self._scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag(side, plane)}")
                if composite is not None:
                    composite.SetBackgroundVolumeID(None)
                    composite.SetForegroundVolumeID(None)

    def nodes(self, side: str) -> list[slicer.vtkMRMLSliceNode]:
        """The slice nodes of a row."""
        found = (self._scene.GetNodeByID(f"vtkMRMLSliceNode{tag(side, plane)}") for plane in PLANES)
        return [node for node in found if node is not None]

    def view_ids(self, side: str) -> list[str]:
        """Of a row, for what is to be drawn there alone."""
        return [node.GetID() for node in self.nodes(side)]

    def side_under_mouse(self) -> str | None:
        """The row the mouse is over."""
        crosshair = self._scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        node = crosshair.GetCursorPositionXYZ([0.0, 0.0, 0.0]) if crosshair is not None and self.on else None
        return next(
            (side for side in (FIXED, MOVING) if node is not None and node.GetID() in self.view_ids(side)), None
        )

    def show(self, side: str, point: np.ndarray, match: np.ndarray, heat: slicer.vtkMRMLVolumeNode) -> None:
        """Bring one row through the point, the other one through its match, under the heat map."""
        if not self.on:
            return
        self._following = True
        try:
            for row, place, over in ((side, point, None), (OTHER[side], match, heat.GetID())):
                for plane in PLANES:
                    composite = self._scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag(row, plane)}")
                    if composite is not None:
                        composite.SetForegroundVolumeID(over)
                        composite.SetForegroundOpacity(views.HEAT_OPACITY)
                for node in self.nodes(row):
                    node.JumpSliceByOffsetting(*map(float, place))
        finally:
            self._following = False

    def _follow(self, side: str, node: slicer.vtkMRMLSliceNode) -> None:
        """One view was scrolled, panned or zoomed: the one above or below it shows the same place as large."""
        if self._following:
            return
        other = self._scene.GetNodeByID(f"vtkMRMLSliceNode{tag(OTHER[side], _plane(node))}")
        if other is None:
            return
        self._following = True
        try:
            matrix = node.GetSliceToRAS()
            centre = np.array([matrix.GetElement(row, 3) for row in range(3)])
            there = self._mapping(side, centre)
            if np.isfinite(there).all():
                other.JumpSliceByCentering(*map(float, there))
            wide, deep = node.GetFieldOfView(), other.GetFieldOfView()
            size, own = node.GetDimensions(), other.GetDimensions()
            if size[0] and own[0]:
                scale = wide[0] / size[0]  # mm of a pixel
                other.SetFieldOfView(scale * own[0], scale * own[1], deep[2])
        finally:
            self._following = False


def _plane(node: slicer.vtkMRMLSliceNode) -> str:
    return next(plane for plane in PLANES if node.GetLayoutName().endswith(plane))


def _layout(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLLayoutNode | None:
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")

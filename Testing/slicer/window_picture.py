"""The panel beside real slice views, as a user of the application sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from DSIRRegistrationLib.roles import FIXED, MOVING
from DSIRRegistrationLib.two_rows import COLOURS, LAYOUT, PLANES, tag
from PIL import Image, ImageDraw, ImageFont
from slice_views import LayoutManager

BAR, GAP, HIGH = 18, 4, 620
"""Pixels: of the bar above each view, between views, of the whole."""

OWN = {"Red": (0, 0, 520, HIGH), "Green": (524, 0, 300, 308), "Yellow": (524, 312, 300, 308)}
"""View to its place in the user's own layout."""

ROWS = {
    tag(side, plane): (column * 276, row * 312, 272, 308)
    for row, side in enumerate((FIXED, MOVING))
    for column, plane in enumerate(PLANES)
}
"""The same while points are asked for."""


def show_layers(
    background: Any = None, foreground: Any = None, foregroundOpacity: float | None = None, **_others: Any
) -> None:
    """What ``slicer.util.setSliceViewerLayers`` does to the scene."""
    for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        if node.GetLayoutName() in OWN:
            if background is not None:
                node.SetBackgroundVolumeID(background.GetID())
                node.SetForegroundVolumeID(foreground.GetID() if foreground is not None else None)
            if foregroundOpacity is not None:
                node.SetForegroundOpacity(foregroundOpacity)


def views_picture(manager: LayoutManager, scene: slicer.vtkMRMLScene, *, fit: bool) -> Image.Image:
    """All views of the present layout.

    Args:
        fit: whether the user's own views show their whole scan.
    """
    rows = scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement() == LAYOUT
    places = ROWS if rows else OWN
    whole = Image.new("RGB", (824, HIGH), (45, 45, 48))
    draw = ImageDraw.Draw(whole)
    for name, (x, y, wide, _high) in places.items():
        view = manager.sliceWidget(name)
        if fit and not rows:
            view.fitSliceToBackground()
        plane = next((plane for plane in PLANES if name.endswith(plane)), None) or view.node.GetOrientation()
        draw.rectangle((x, y, x + wide - 1, y + BAR - 1), fill=COLOURS.get(plane, "#888888"))
        shown = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}").GetBackgroundVolumeID()
        scan = slicer.mrmlScene.GetNodeByID(shown).GetName() if shown else ""
        words = f"{plane}   {view.node.GetSliceOffset():.1f} mm   {scan}"
        draw.text((x + 6, y + 2), words, fill="black", font=ImageFont.load_default(12))
        whole.paste(view.picture(), (x, y + BAR))
    return whole


def beside(panel: Path, views: Image.Image | None) -> Image.Image:
    """The panel to the left, the views to the right, where there are any."""
    left = Image.open(panel).convert("RGB")
    if views is None:
        return left
    whole = Image.new("RGB", (left.width + GAP + views.width, max(left.height, views.height)), (239, 239, 239))
    whole.paste(left, (0, 0))
    whole.paste(views, (left.width + GAP, 0))
    return whole

"""What is seen as one picture: six views, their names, and what the colours mean."""

from __future__ import annotations

import numpy as np
import vtk
from PIL import Image, ImageDraw, ImageFont
from trame_slicer.views import SliceView
from vtkmodules.util.numpy_support import vtk_to_numpy

from ..nodes.colours import between
from .maps import Legend

GAP, MARGIN, TEXT = 2, 10, 15
"""Pixels between views, around words, and the height of letters."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

GREY, WHITE = (34, 34, 34), (238, 241, 245)


def grab(view: SliceView) -> np.ndarray:
    """(height, width, 3) bytes of a view as it is drawn now."""
    window = view.render_window()
    window.Render()
    reader = vtk.vtkWindowToImageFilter()
    reader.SetInput(window)
    reader.ReadFrontBufferOff()
    reader.ShouldRerenderOff()
    reader.SetInputBufferTypeToRGB()
    reader.Update()
    image = reader.GetOutput()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy()


def compose(rows: list[tuple[str, list[np.ndarray]]], words: str, legend: Legend | None) -> Image.Image:
    """Rows of views, each under its name; below them one line of words and the legend."""
    widths = [sum(view.shape[1] for view in views) + GAP * (len(views) - 1) for _name, views in rows]
    heights = [max(view.shape[0] for view in views) for _name, views in rows]
    strip = TEXT + 2 * MARGIN + (22 if legend is not None else 0)
    whole = Image.new("RGB", (max(widths), sum(heights) + GAP * (len(rows) - 1) + strip), GREY)
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(TEXT)
    top = 0
    for (name, views), height in zip(rows, heights, strict=True):
        left = 0
        for view in views:
            whole.paste(Image.fromarray(view), (left, top))
            left += view.shape[1] + GAP
        draw.text((MARGIN, top + MARGIN), name, fill=WHITE, font=font)
        top += height + GAP
    draw.text((MARGIN, top + MARGIN), words, fill=WHITE, font=font)
    if legend is not None:
        _ramp(draw, legend, font, (MARGIN, top + MARGIN + TEXT + 8))
    return whole


def _ramp(draw: ImageDraw.ImageDraw, legend: Legend, font: Font, at: tuple[int, int]) -> None:
    """``0.5 [colours] 1.5  Jacobian determinant``, in one line."""
    x, y, length = at[0], at[1], 220
    draw.text((x, y), legend.ends[0], fill=WHITE, font=font)
    x += round(draw.textlength(legend.ends[0], font=font)) + 6
    for step in range(length):
        colour = tuple(round(255 * part) for part in between(legend.anchors, step / (length - 1)))
        draw.line([(x + step, y + 2), (x + step, y + TEXT)], fill=colour)
    said = f"{legend.ends[2]}   {legend.title}" + (f"; {legend.said}" if legend.said else "")
    draw.text((x + length + 6, y), said, fill=WHITE, font=font)

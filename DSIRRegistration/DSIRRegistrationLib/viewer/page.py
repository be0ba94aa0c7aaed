"""What the page looks like: a panel, a bar of what lies over the fixed scan, six slice views, one line of words."""

from __future__ import annotations

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame_server import Server
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.views import Layout, LayoutDirection

from .controls import aria, choice, group, slider
from .keys import KEYS, SCRIPT
from .panel import Doings, panel
from .side import definitions
from .style import STYLE
from .words import MODES, OVERLAYS

COMPARED = "(dsir_overlay === 'before' || dsir_overlay === 'after')"
"""Whether a scan, no map, lies over the fixed one."""


class Page:
    """Builds the page; every word of its state begins with ``dsir_``."""

    def __init__(self, server: Server, app: SlicerApp, doings: Doings, names: tuple[str, str]) -> None:
        layouts = LayoutManager(app.scene, app.view_manager, server)
        rows = [Layout(LayoutDirection.Horizontal, definitions(side)) for side in ("fixed", "moving")]
        layouts.register_layout("pair", Layout(LayoutDirection.Vertical, rows))
        with VAppLayout(server) as self.layout:
            self.layout.root.theme = "dark"
            client.Style(STYLE)
            client.Script(SCRIPT)
            with html.Div(classes="dsir-page"):
                panel(doings)
                with html.Main(classes="dsir-main", raw_attrs=aria(label="Slice views")):
                    _bar()
                    with html.Div(classes="dsir-views"):
                        layouts.initialize_layout_grid(self.layout)
                        html.Div(f"fixed: {names[0]}", classes="dsir-row", style="top: 0;")
                        html.Div(f"moving: {names[1]}", classes="dsir-row", style="top: 50%;")
                    with html.Div(classes="dsir-foot"):
                        # A Getter draws itself alone: else each move of the mouse would draw the whole page anew.
                        with client.Getter(name="dsir_words", value_name="words"):
                            html.Div("{{ words }}", id="dsir-words", raw_attrs=aria("status"))
                        with client.Getter(name="dsir_where", value_name="where"):
                            html.Div("{{ where }}", classes="dsir-where", id="dsir-where")
                _help()
        layouts.set_layout("pair")


def _bar() -> None:
    """What lies over the fixed scan, and how."""
    with html.Div(classes="dsir-bar", raw_attrs=aria("toolbar", label="Over the fixed scan")):
        result = "!dsir_transform"
        group(
            "Overlay", "dsir_overlay", OVERLAYS,
            off={"after": result, "Jacobian": result, "displacement": result, "confidence": f"{result} || dsir_busy"},
        )  # fmt: skip
        group("How to compare", "dsir_mode", MODES, off=dict.fromkeys(MODES, f"!{COMPARED}"), v_if=("!dsir_legend",))
        _legend()
        curtain = f"{COMPARED} && dsir_mode === 'curtain'"
        slider("opacity {{ Math.round(100 * dsir_opacity) }} %", "dsir_opacity", 0, 1, 0.05, name="dsir-amount",
               v_if=(f"!({curtain})",))  # fmt: skip
        slider("curtain {{ Math.round(100 * dsir_curtain) }} %", "dsir_curtain", 0, 1, 0.01, v_if=(curtain,))
        choice("deformation", "dsir_drawn", "dsir_drawings", off=result, inline=True)


def _legend() -> None:
    """Of a map over the fixed scan, in the place of how scans are compared: covers no anatomy, moves no view."""
    with html.Div(v_if=("dsir_legend",), classes="dsir-legend", id="dsir-legend", title=("dsir_legend.said",)):
        html.B("{{ dsir_legend.title }}")
        with html.Div():
            html.Div(classes="dsir-ramp", style=("`background: linear-gradient(90deg, ${dsir_legend.gradient})`",))
            with html.Div(classes="dsir-ends"):
                html.Span("{{ end }}", v_for="end in dsir_legend.ends", key=("end",))


def _help() -> None:
    """The card of the keys."""
    with html.Div(v_if=("dsir_help",), classes="dsir-help", id="dsir-help", raw_attrs=aria("dialog", label="Keys")):
        for key, words in KEYS:
            with html.Div():
                html.B(key)
                html.Span(words)
        with html.Div():
            html.Span("Right drag: contrast and brightness. Wheel: slices. Shift: crosshair.")

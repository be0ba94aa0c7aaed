"""What the page looks like: a narrow panel, six slice views, one line of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dsir.cli.options import TASKS
from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets.vuetify3 import (
    VBtn,
    VBtnToggle,
    VCheckbox,
    VDivider,
    VIcon,
    VMain,
    VNavigationDrawer,
    VProgressLinear,
    VSelect,
    VSlider,
)
from trame_server import Server
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.views import Layout, LayoutDirection

from .keys import KEYS, SCRIPT
from .side import definitions

STYLE = """
html { overflow: hidden; }
.dsir-panel { font-size: 13px; }
.dsir-panel .v-selection-control .v-label, .dsir-panel .v-label { font-size: 13px; opacity: .85; }
.dsir-label { font-size: 11px; letter-spacing: .06em; text-transform: uppercase; opacity: .6; margin: 10px 0 2px; }
.dsir-row { position: absolute; left: 0; z-index: 3; pointer-events: none;
  background: #000a; color: #d5dae1; font-size: 12px; padding: 2px 10px; border-radius: 0 0 6px 0; }
.dsir-words { position: absolute; left: 10px; bottom: 8px; z-index: 3; pointer-events: none; background: #000c;
  color: #eef1f5; font-size: 13px; padding: 3px 10px; border-radius: 5px; max-width: 92%; }
.dsir-where { position: absolute; right: 10px; bottom: 8px; z-index: 3; pointer-events: none; background: #000c;
  color: #eef1f5; font-size: 12.5px; padding: 3px 10px; border-radius: 5px; font-variant-numeric: tabular-nums; }
.dsir-help { position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%); z-index: 5;
  background: #14181dee;
  color: #eef1f5; font-size: 13.5px; padding: 16px 22px; border-radius: 8px; border: 1px solid #3a424c; }
:focus-visible { outline: 2px solid #4cc9f0 !important; outline-offset: 1px; }
.dsir-key { display: flex; justify-content: space-between; margin-top: 4px; font-size: 12px; opacity: .85; }
.dsir-ramp { height: 10px; border-radius: 2px; background: linear-gradient(90deg,
  #000005,#1c0f45,#52127a,#82267f,#b83878,#e64f63,#fa8761,#ffc287,#fcfcbf); }
.dsir-ends { display: flex; justify-content: space-between; font-size: 11px; opacity: .7; }
"""
TITLES = {
    "dsir-compute": "describe both scans; needed before a click",
    "dsir-accept": "keep this match: the pair pulls on the registration (A)",
    "dsir-undo": "forget the last accepted match (U)",
    "dsir-register": "find where each fixed point lies in the moving scan",
    "dsir-refine": "improve the present result, steered by the accepted matches",
    "dsir-save": "write pairs and result into the folder given with --out",
    "dsir-fit": "show the whole scans (F)",
    "dsir-keys": "which keys do what (?)",
    "dsir-window": "HU windows change CTs alone; right drag changes any scan (keys 1 to 5)",
    "dsir-descriptor": "dsir: the learned representation; mind: MIND-SSC; cnn: the network untrained",
}
OVERLAYS = {
    "similarity": "the heat map, while a point is asked for",
    "before": "the moving scan as it came, blended by the opacity",
    "after": "the moving scan after registration, blended by the opacity",
    "squares": "a checkerboard of both, squares of 24 mm: edges that break lie apart",
}
PRESETS = ("fast", "default", "accurate", *TASKS)


class Doings(Protocol):
    """What the page's buttons call."""

    def compute(self) -> None: ...
    def accept(self) -> None: ...
    def take_back(self) -> None: ...
    def register(self) -> None: ...
    def refine(self) -> None: ...
    def cancel(self) -> None: ...
    def save(self) -> None: ...
    def fit(self) -> None: ...


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
            with VNavigationDrawer(permanent=True, width=264, classes="pa-3 dsir-panel"):
                self._panel(doings)
            with (
                VMain(),
                html.Div(style="position: relative; width: 100%; height: 100vh; display: flex; background: black;"),
            ):
                layouts.initialize_layout_grid(self.layout)
                html.Div(f"fixed: {names[0]}", classes="dsir-row", style="top: 0;")
                html.Div(f"moving: {names[1]}", classes="dsir-row", style="top: 50%;")
                html.Div("{{ dsir_where }}", v_if=("dsir_where",), classes="dsir-where", id="dsir-where")
                _help()
                html.Div("{{ dsir_words }}", v_if=("dsir_words",), classes="dsir-words", role="status", id="dsir-words")
        layouts.set_layout("pair")

    def _panel(self, doings: Doings) -> None:
        with html.Div(classes="d-flex align-center"):
            html.Div("DSIR Registration", style="font-size: 16px; font-weight: 500; flex: 1;")
            _icon(doings.fit, "dsir-fit", "mdi-fit-to-page-outline")
            _icon("dsir_help = !dsir_help", "dsir-keys", "mdi-keyboard-outline")
        html.Div("Click or drag in an image; the other one shows where that is.", style="opacity: .8;", classes="mb-2")
        with html.Div(
            v_if=("dsir_verdict",), id="dsir-verdict", role="status", classes="mb-2",
            style=("`border-left: 4px solid ${dsir_colour}; padding: 2px 8px; background: #ffffff10;`",),
        ):  # fmt: skip
            html.B("{{ dsir_verdict }}", style=("`color: ${dsir_colour};`",))
            html.Div("{{ reason }}", v_for="reason in dsir_reasons", style="font-size: 12px; line-height: 1.35;")
        with html.Div(classes="d-flex mt-2", style="gap: 6px;"):
            VSelect(
                v_model=("dsir_window",), items=("dsir_windows",), density="compact", hide_details=True,
                variant="outlined", id="dsir-window", label="window", title=TITLES["dsir-window"],
            )  # fmt: skip
            VSelect(
                v_model=("dsir_descriptor",), items=("dsir_descriptors",), density="compact", hide_details=True,
                variant="outlined", disabled=("dsir_busy",), id="dsir-descriptor", label="compare by",
                title=TITLES["dsir-descriptor"],
            )  # fmt: skip
        _button("Compute features", doings.compute, "dsir-compute", "mdi-grid", off="dsir_busy || dsir_ready")
        _label("similarity")
        html.Div(classes="dsir-ramp mt-1", style="width: 100%;")
        with html.Div(classes="dsir-ends"):
            for end in ("0", "0.5", "1"):
                html.Span(end)
        _slider("dsir_threshold", "show from", 0, 0.95, 0.05)
        _slider("dsir_opacity", "opacity", 0, 1, 0.05)
        _slider("dsir_radius", "within mm (0: all)", 0, 80, 5)
        _check("dsir_surroundings", "with its surroundings")
        _check("dsir_follow", "other image jumps to the match")
        _check("dsir_hover", "follow the mouse (hover)")
        with html.Div(classes="dsir-key"):
            for colour, words in (("#ffcf33", "✚ asked"), ("#33ffe6", "✚ best match"), ("#ffffff", "◆ transform")):
                html.Span(words, style=f"color: {colour};")
        VDivider(classes="my-2")
        _label("steer: {{ dsir_pairs }} accepted{{ dsir_missed }}")
        with html.Div(classes="d-flex", style="gap: 6px;"):
            _button("Accept", doings.accept, "dsir-accept", "mdi-check", off="!dsir_asked")
            _button("Undo", doings.take_back, "dsir-undo", "mdi-undo", off="!dsir_pairs")
        _label("register")
        VSelect(
            v_model=("dsir_preset",), items=("dsir_presets",), density="compact", hide_details=True, variant="outlined",
            disabled=("dsir_busy",), id="dsir-preset",
        )  # fmt: skip
        with html.Div(classes="d-flex", style="gap: 6px;"):
            _button("Register", doings.register, "dsir-register", "mdi-play", off="dsir_busy", colour="primary")
            _button("Refine", doings.refine, "dsir-refine", "mdi-tune", off="dsir_busy || !dsir_transform")
        with html.Div(v_if=("dsir_busy",), classes="mt-2"):
            html.Div("{{ dsir_stage }}", style="font-size: 12px; opacity: .8; white-space: nowrap; overflow: hidden;")
            VProgressLinear(model_value=("dsir_percent",), height=6, rounded=True, color="primary", classes="my-1")
            _button("Cancel", doings.cancel, "dsir-cancel", "mdi-stop", off="false")
        _label("over the fixed image")
        with VBtnToggle(
            v_model=("dsir_overlay",), mandatory=True, density="compact", variant="outlined", divided=True,
            style="width: 100%;",
        ):  # fmt: skip
            for value in ("similarity", "before", "after", "squares"):
                off = ("!dsir_registered",) if value in ("after", "squares") else ("false",)
                VBtn(
                    value,
                    value=value,
                    size="small",
                    disabled=off,
                    title=OVERLAYS[value],
                    style="flex: 1; text-transform: none; min-width: 0; padding: 0 4px; font-size: 12px;",
                )
        _button("Save", doings.save, "dsir-save", "mdi-content-save", off="dsir_busy")


def _help() -> None:
    """The card of the keys."""
    with html.Div(v_if=("dsir_help",), classes="dsir-help", role="dialog", aria_label="Keys", id="dsir-help"):
        for key, words in KEYS:
            with html.Div(classes="d-flex", style="gap: 12px; padding: 2px 0;"):
                html.Span(key, style="width: 128px; font-weight: 600;")
                html.Span(words)
        html.Div("Right drag: contrast and brightness. Wheel: slices. Shift: crosshair.", classes="mt-2")


def _label(words: str) -> None:
    html.Div(words, classes="dsir-label")


def _button(
    words: str, call: Callable[[], None] | str, name: str, icon: str, *, off: str, colour: str | None = None
) -> None:
    with VBtn(
        click=call, id=name, disabled=(off,), size="small", variant="tonal", color=colour,
        title=TITLES.get(name, words),
        classes="mt-1", style="text-transform: none; flex: 1 1 0; min-width: 0; width: 100%;",
    ):  # fmt: skip
        VIcon(icon, size="small", classes="mr-1")
        html.Span(words)


def _icon(call: Callable[[], None] | str, name: str, icon: str) -> None:
    with VBtn(
        click=call, id=name, icon=True, size="x-small", variant="text", title=TITLES[name], aria_label=TITLES[name]
    ):
        VIcon(icon, size="small")


def _slider(state: str, words: str, low: float, high: float, step: float) -> None:
    with html.Div(classes="d-flex align-center", style="gap: 8px; height: 30px;"):
        html.Span(words, style="width: 104px; font-size: 12px; opacity: .85;")
        VSlider(
            v_model=(state,), min=low, max=high, step=step, density="compact", hide_details=True, thumb_size=12,
            track_size=3, aria_label=words,
        )  # fmt: skip


def _check(state: str, words: str) -> None:
    VCheckbox(v_model=(state,), label=words, density="compact", hide_details=True, style="height: 30px;")

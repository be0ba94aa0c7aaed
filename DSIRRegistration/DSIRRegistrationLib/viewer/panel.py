"""The panel: from top to bottom in the order of work, from asking for a point to saving."""

from __future__ import annotations

from typing import Protocol

from trame.widgets import html

from .controls import aria, button, check, choice, icon, label, slider
from .maps import HEAT
from .words import PAIR

TABBED = 'tabindex="0"'
"""So that what scrolls can be scrolled by keys."""


class Doings(Protocol):
    """What the page's buttons call."""

    def compute(self) -> None: ...
    def accept(self) -> None: ...
    def undo(self) -> None: ...
    def redo(self) -> None: ...
    def go_to(self, number: int) -> None: ...
    def rename(self, number: int, name: str) -> None: ...
    def remove(self, number: int) -> None: ...
    def register(self) -> None: ...
    def refine(self) -> None: ...
    def cancel(self) -> None: ...
    def save_picture(self) -> None: ...
    def save_results(self) -> None: ...
    def save_scene(self) -> None: ...
    def fit(self) -> None: ...


def panel(doings: Doings) -> None:
    """Build it."""
    with html.Aside(classes="dsir-panel", raw_attrs=aria(label="Registration")):
        with html.Div(classes="dsir-line"):
            html.H1("DSIR Registration", classes="dsir-title")
            icon(doings.undo, "dsir-undo", "mdi-undo", off="!dsir_can_undo || dsir_busy")
            icon(doings.redo, "dsir-redo", "mdi-redo", off="!dsir_can_redo || dsir_busy")
            icon(doings.fit, "dsir-fit", "mdi-fit-to-page-outline")
            icon("dsir_help = !dsir_help", "dsir-keys", "mdi-keyboard-outline")
        html.Div("Click or drag in a scan; the other one shows where that is.")
        _verdict()
        with html.Div(classes="dsir-line"):
            choice("window", "dsir_window", "dsir_windows")
            choice("compare by", "dsir_descriptor", "dsir_descriptors", off="dsir_busy")
        with html.Div(v_if=("!dsir_ready",), classes="dsir-line"):
            button("Compute features", doings.compute, "dsir-compute", off="dsir_busy")
        _similarity()
        _pairs(doings)
        _registration(doings)
        label("save")
        with html.Div(classes="dsir-line"):
            button("Picture", doings.save_picture, "dsir-picture")
            button("Results", doings.save_results, "dsir-save", off="dsir_busy")
            button("Scene", doings.save_scene, "dsir-scene", off="dsir_busy")


def _verdict() -> None:
    with html.Div(
        v_if=("dsir_verdict",), id="dsir-verdict", classes="dsir-verdict", raw_attrs=[*aria("status"), TABBED],
        style=("`border-color: ${dsir_colour}`",),
    ):  # fmt: skip
        html.B("{{ dsir_verdict }}", style=("`color: ${dsir_colour}`",))
        html.Div("{{ reason }}", v_for="reason in dsir_reasons", key=("reason",))


def _similarity() -> None:
    label(HEAT.title)
    with html.Div():
        html.Div(classes="dsir-ramp", style=f"background: linear-gradient(90deg, {HEAT.gradient});")
        with html.Div(classes="dsir-ends"):
            for end in HEAT.ends:
                html.Span(end)
    slider("show from {{ Number(dsir_threshold).toFixed(2) }}", "dsir_threshold", 0, 0.95, 0.05)
    slider("{{ dsir_radius > 0 ? `within ${dsir_radius} mm` : 'everywhere' }}", "dsir_radius", 0, 80, 5)
    check("with its surroundings", "dsir_surroundings")
    check("other scan jumps to the match", "dsir_follow")
    check("follow the mouse (hover)", "dsir_hover")
    with html.Div(classes="dsir-key"):
        for colour, words in (("#ffcf33", "✚ asked"), ("#33ffe6", "✚ best match"), ("#ffffff", "◆ transform")):
            html.Span(words, style=f"color: {colour};")


def _pairs(doings: Doings) -> None:
    label("pairs: {{ dsir_pairs.length }} accepted{{ dsir_missed }}")
    with html.Div(classes="dsir-line"):
        button("Accept the match", doings.accept, "dsir-accept", off="!dsir_asked || dsir_busy")
    with html.Div(classes="dsir-pairs", id="dsir-pairs", raw_attrs=[*aria("group", label="Accepted pairs"), TABBED]):
        html.Div("None yet. A pair pulls on the registration.", v_if=("!dsir_pairs.length",), classes="dsir-none")
        with html.Div(v_for="(pair, n) in dsir_pairs", key=("n",), classes="dsir-pair"):
            html.Button(
                "➜", click=(doings.go_to, "[n]"), title=PAIR["go"], raw_attrs=aria(label_="`Go to pair ${pair.name}`"),
                classes="dsir-icon", type="button",
            )  # fmt: skip
            html.Input(
                type="text", value=("pair.name",), change=(doings.rename, "[n, $event.target.value]"),
                raw_attrs=aria(label_="`Name of pair ${n + 1}`"), title=PAIR["name"], disabled=("dsir_busy",),
            )  # fmt: skip
            html.Span("{{ pair.chance }}", title=PAIR["chance"])
            html.Span("{{ pair.apart }}", title=PAIR["apart"])
            html.Button(
                "✕", click=(doings.remove, "[n]"), title=PAIR["delete"],
                raw_attrs=aria(label_="`Forget pair ${pair.name}`"), classes="dsir-icon", type="button",
                disabled=("dsir_busy",),
            )  # fmt: skip


def _registration(doings: Doings) -> None:
    label("register")
    choice("preset", "dsir_preset", "dsir_presets", off="dsir_busy")
    with html.Div(classes="dsir-line"):
        button("Register", doings.register, "dsir-register", off="dsir_busy", first=True)
        button("Refine", doings.refine, "dsir-refine", off="dsir_busy || !dsir_transform")
    with html.Div(v_if=("dsir_busy",)):
        html.Div("{{ dsir_stage }}", style="font-size: 12px; white-space: nowrap; overflow: hidden;")
        with html.Div(
            classes="dsir-progress",
            raw_attrs=aria("progressbar", label="Progress", valuemin="0", valuemax="100", valuenow_="dsir_percent"),
        ):  # fmt: skip
            html.Div(style=("`width: ${dsir_percent}%`",))
        with html.Div(classes="dsir-line"):
            button("Cancel", doings.cancel, "dsir-cancel")

"""Controls of the page: each has a name, a tip with its unit, and is the browser's own, so that keys and screen readers
know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trame.widgets import html
from trame.widgets.vuetify3 import VIcon

from .words import TIPS


def aria(role: str = "", **names: str) -> list[str]:
    """What a screen reader is told, for ``raw_attrs=``: values are words, or expressions where the name ends in ``_``.

    >>> aria("group", label="Pairs", valuenow_="percent")
    ['role="group"', 'aria-label="Pairs"', ':aria-valuenow="percent"']
    """
    said = [f'role="{role}"'] if role else []
    for name, value in names.items():
        said.append(f':aria-{name[:-1]}="{value}"' if name.endswith("_") else f'aria-{name}="{value}"')
    return said


Call = Callable[..., None] | str | tuple


def button(words: str, call: Call, name: str, *, off: str = "false", first: bool = False) -> None:
    """A button; ``off`` is an expression of the page's state."""
    kind = "dsir-button first" if first else "dsir-button"
    html.Button(words, click=call, id=name, disabled=(off,), title=TIPS[name], classes=kind, type="button")


def icon(call: Call, name: str, picture: str, *, off: str = "false") -> None:
    """A button that is only a picture."""
    tip = TIPS[name]
    with html.Button(
        click=call, id=name, disabled=(off,), title=tip, raw_attrs=aria(label=tip), classes="dsir-icon", type="button"
    ):
        VIcon(picture, size="small", raw_attrs=aria(hidden="true"))


def choice(words: str, state: str, items: str, *, off: str = "false", inline: bool = False, **more: Any) -> None:
    """One of several; ``items`` is an expression that gives words, or objects with value, title and why."""
    name = state.replace("_", "-")
    with html.Label(classes="dsir-field inline" if inline else "dsir-field", title=TIPS[name]):
        html.Span(words)
        with html.Select(v_model=(state,), id=name, disabled=(off,), **more):
            html.Option(
                "{{ item.title ?? item }}", v_for=f"item in {items}", key=("item.value ?? item",),
                value=("item.value ?? item",), title=("item.why",),
            )  # fmt: skip


def slider(words: str, state: str, low: float, high: float, step: float, *, name: str = "", **more: Any) -> None:
    """A number; ``words`` may hold it: ``"within {{ dsir_radius }} mm"``."""
    name = name or state.replace("_", "-")
    with html.Label(classes="dsir-slide", title=TIPS[name], **more):
        html.Span(words)
        html.Input(type="range", v_model_number=(state,), min=low, max=high, step=step, id=name)


def check(words: str, state: str) -> None:
    """Yes or no."""
    name = state.replace("_", "-")
    with html.Label(classes="dsir-check", title=TIPS[name]):
        html.Input(type="checkbox", v_model=(state,), id=name)
        html.Span(words)


def group(words: str, state: str, tips: dict[str, str], *, off: dict[str, str], **more: Any) -> None:
    """Buttons of which one is pressed; ``off`` has expressions for some."""
    with html.Div(classes="dsir-group", raw_attrs=aria("group", label=words), **more):
        for value, tip in tips.items():
            html.Button(
                value, click=f"{state} = '{value}'", title=tip, type="button", disabled=(off.get(value, "false"),),
                raw_attrs=aria(pressed_=f"{state} === '{value}'"),
            )  # fmt: skip


def label(words: str) -> None:
    """Title of a part of the panel."""
    html.H2(words, classes="dsir-label")

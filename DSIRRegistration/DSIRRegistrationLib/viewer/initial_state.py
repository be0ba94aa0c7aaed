"""The page's state at the start; every name in it begins with ``dsir_``."""

from __future__ import annotations

from typing import Any

from dsir.registration.preset_words import WORDS

from ..nodes.windows import FITTING
from .deformation import DRAWN, NONE
from .session import Session
from .stencil import BLEND
from .windowing import CHOICES

DESCRIPTORS = ("dsir", "mind", "cnn")


def initial_state(session: Session, descriptor: str) -> dict[str, Any]:
    """All of it."""
    given = session.result.transform is not None
    start = {
        "descriptor": descriptor, "descriptors": list(dict.fromkeys((descriptor, *DESCRIPTORS))), "ready": False,
        "threshold": 0.3, "radius": 0, "follow": True, "hover": False, "surroundings": True, "asked": False,
        "overlay": session.overlays.overlay, "opacity": session.overlays.opacity, "legend": None,
        "mode": BLEND, "curtain": 0.5, "drawn": NONE, "drawings": list(DRAWN),
        "window": FITTING, "windows": list(CHOICES),
        "pairs": [], "missed": "", "can_undo": False, "can_redo": False,
        "preset": "default", "presets": presets(), "transform": given, "verdict": "", "reasons": [], "colour": "#fff",
        "busy": False, "stage": "", "percent": 0, "words": "", "where": "", "help": False,
    }  # fmt: skip
    page = {"trame__title": "DSIR Registration", "trame__favicon": None}
    return page | {f"dsir_{name}": value for name, value in start.items()}


def presets() -> list[dict[str, str]]:
    """Each with its words for a menu, and why it is as it is."""
    return [{"value": name, "title": one.title, "why": one.whole} for name, one in WORDS.items()]

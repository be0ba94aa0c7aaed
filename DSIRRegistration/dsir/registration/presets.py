"""Settings by name: for a speed, or for a task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import DsirError
from .descent import Level
from .preset_words import WORDS
from .settings import DescentSettings, RegistrationSettings
from .solver import Stiffness
from .tasks import TASKS


def preset(name: str, **changes: Any) -> RegistrationSettings:
    """The settings called ``name``, with changes on top.

    Raises:
        DsirError: no preset has this name.
    """
    if name not in PRESETS:
        raise DsirError(f"There is no preset called {name!r}; known are: {', '.join(PRESETS)}.")
    return replace(PRESETS[name], **changes)


PRESETS: dict[str, RegistrationSettings] = {
    "fast": RegistrationSettings(
        preset="fast",
        descriptor="mind",
        spacing=3.0,
        descent=DescentSettings(
            levels=(
                Level(scale=2.0, stiffness=Stiffness(bending=50.0)),
                Level(scale=1.0, iterations=3, stiffness=Stiffness(bending=12.5)),
                Level(scale=1.0, iterations=3, stiffness=Stiffness(bending=3.0), local=2.0),
            )
        ),
    ),
    "default": RegistrationSettings(),
    "accurate": RegistrationSettings(
        preset="accurate",
        spacing=1.5,
        voxels=12_000_000,
        descent=DescentSettings(
            levels=(
                Level(scale=2.67, iterations=10, stiffness=Stiffness(bending=3.2)),
                Level(scale=1.33, iterations=10, stiffness=Stiffness(bending=1.6)),
                Level(scale=1.0, iterations=8, stiffness=Stiffness(bending=2.5)),
                Level(scale=1.0, iterations=8, stiffness=Stiffness(bending=1.3), place=True),
                Level(scale=1.0, iterations=4, stiffness=Stiffness(bending=1.3), place=True, local=2.67),
            )
        ),
    ),
    "paper": RegistrationSettings(preset="paper", descent=DescentSettings(method="paper")),
    **TASKS,
}
"""For a speed, then for a task (:mod:`.tasks`). ``fast`` looks at 3 mm with MIND-SSC, ``default`` at 2 mm, ``accurate``
at 1.5 mm in more steps; ``paper`` descends as [R] does."""

REASONS: dict[str, str] = {name: words.whole for name, words in WORDS.items()}
"""Why each preset is as it is, for people."""

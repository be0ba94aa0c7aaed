"""``dsir settings``: every setting with its value and what it means; ``dsir presets``: where one may begin."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from ..progress import Progress
from .command import Command, Outcome
from .options import add_machine, add_memory, add_settings, settings_from


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_memory(add_machine(parser))


def _run(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    settings = settings_from(arguments)
    from ..registration.explanations import explained

    rows = explained(settings)
    lines = [f"{row.key} = {json.dumps(row.value)}\n    {row.meaning}" for row in rows]
    return Outcome(
        None, tuple(lines), {"settings": settings.to_json(), "explained": [asdict(row) for row in rows]}, answer=True
    )


COMMAND = Command(
    name="settings",
    summary="every setting of a registration, its value and what it means",
    description="""\
Print every setting under its full name, with the value it would have with these options and what it means.

Any of them is changed by --set KEY=VALUE, here and in dsir register and dsir batch. Lists count from 0.""",
    usage="[--preset NAME]",
    example="dsir settings --preset fast --set descent.levels.0.stiffness.bending=20",
    arguments=_arguments,
    run=_run,
)


def _list(arguments: argparse.Namespace, progress: Progress) -> Outcome:
    from ..registration.presets import REASONS

    lines = [f"{name}\n    {reason}" for name, reason in REASONS.items()]
    return Outcome(None, tuple(lines), {"presets": dict(REASONS)}, answer=True)


PRESETS = Command(
    name="presets",
    summary="settings by name, for a task or a speed, and why they are as they are",
    description="List the presets with the reason of each choice. dsir settings --preset NAME shows one in full.",
    usage="",
    example="dsir presets",
    arguments=lambda parser: None,
    run=_list,
)

"""Settings for a task; why they are so, and what they were measured on, stands in :mod:`.preset_words`.

``same_person`` keeps the linear model free of scales; ``deformable`` is off where bones decide, on where it is known
that something moved, and otherwise left to the scans (:mod:`.evidence`). Between two persons the field is softer: their
anatomy differs at every scale (Docs/measurements/solver.md).
"""

from __future__ import annotations

from typing import Any

from .descent import Level
from .linear import LinearSettings
from .settings import DescentSettings, RegistrationSettings
from .solver import Stiffness


def _one_person(name: str, **changes: Any) -> RegistrationSettings:
    return RegistrationSettings(**{"preset": name, "same_person": True, **changes})


TASKS: dict[str, RegistrationSettings] = {
    "head_mr_mr": _one_person("head_mr_mr", descriptor="mind", deformable=False),
    "head_ct_mr": _one_person("head_ct_mr", descriptor="mind", deformable=False),
    "body_ct_mr": _one_person("body_ct_mr"),
    "ct_ct": _one_person("ct_ct", descriptor="mind", deformable=True),
    "ct_cbct": _one_person("ct_cbct", descriptor="mind").stiffer(2.0).capturing(24.0),
    "lung_4dct": _one_person(
        "lung_4dct", descriptor="mind", deformable=True, linear=LinearSettings(model="none")
    ).capturing(36.0),
    "pet_ct": _one_person(
        "pet_ct", descriptor="mind", deformable=False, linear=LinearSettings(start="identity", model="auto")
    ),
    "two_persons": RegistrationSettings(
        preset="two_persons",
        same_person=False,
        deformable=True,
        linear=LinearSettings(model="affine"),
        descent=DescentSettings(
            levels=(
                Level(scale=2.0, stiffness=Stiffness(bending=3.0)),
                Level(scale=1.0, stiffness=Stiffness(bending=0.5)),
            )
        ),
    ),
}

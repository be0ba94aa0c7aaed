"""What a script may give for settings and masks, as a task holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import slicer

from .task import Mask

if TYPE_CHECKING:
    from dsir.registration.settings import RegistrationSettings

    Settings: TypeAlias = str | Mapping[str, Any] | RegistrationSettings | None
    GivenMask: TypeAlias = slicer.vtkMRMLNode | tuple[slicer.vtkMRMLSegmentationNode, str] | None


def as_mask(given: GivenMask) -> Mask | None:
    """A label map volume, or a segmentation and a segment's ID."""
    if given is None or isinstance(given, Mask):
        return given
    return Mask(*given) if isinstance(given, tuple) else Mask(given)


def as_settings(given: Settings) -> tuple[str, dict[str, Any]]:
    """Preset and changes."""
    if given is None:
        return "default", {}
    if isinstance(given, str):
        return given, {}
    values = dict(given) if isinstance(given, Mapping) else given.to_json()
    return str(values.get("preset", "default")), values

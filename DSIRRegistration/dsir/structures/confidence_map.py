"""The confidence of a registration as the verdicts read it."""

from __future__ import annotations

import torch

from ..features.descriptor import load_descriptor
from ..geometry.image import Image
from ..progress import Progress, silent
from ..registration.settings import RegistrationSettings
from ..similarity.confidence import confidence_of
from ..transforms.composite import Transform


def measure_confidence(
    fixed: Image, moving: Image, transform: Transform, *, descriptor: str | None = None, progress: Progress = silent
) -> Image:
    """The confidence of :func:`dsir.similarity.confidence.confidence_of`, 0 to 1; NaN where the images say nothing.

    Args:
        transform: fixed to moving.
        descriptor: how the scans are compared; that of ``dsir register`` by default.
    """
    how = load_descriptor(descriptor or RegistrationSettings().descriptor)
    found = confidence_of(fixed, moving, transform, how, progress=progress)
    return Image(torch.where(found.body, found.confidence, torch.nan), found.lattice)

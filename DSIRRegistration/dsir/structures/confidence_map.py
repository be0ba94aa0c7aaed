"""What the two scans say of a registration, as the verdicts on its contours read it."""

from __future__ import annotations

import torch

from ..features.descriptor import load_descriptor
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..progress import Progress, silent
from ..registration.findings import Finding
from ..registration.settings import RegistrationSettings
from ..registration.verdict_images import judged_by_images
from ..similarity.confidence import confidence_of
from ..transforms.composite import Transform
from .transform_confidence import TransformConfidence


def measure_confidence(
    fixed: Image, moving: Image, transform: Transform, *, descriptor: str | None = None, progress: Progress = silent
) -> TransformConfidence:
    """What :func:`dsir.similarity.confidence.confidence_of` finds, where the images say anything.

    Args:
        transform: fixed to moving.
        descriptor: how the scans are compared; that of ``dsir register`` by default.
    """
    how = load_descriptor(descriptor or RegistrationSettings().descriptor)
    found = confidence_of(fixed, moving, transform, how, progress=progress)
    sure, away = (torch.where(found.body, values, torch.nan) for values in (found.confidence, found.distance))
    return TransformConfidence(Image(sure, found.lattice), Image(away, found.lattice))


def doubts_of(fixed: Image, moving: Image, transform: Transform, *, same_person: bool | None = None) -> list[Finding]:
    """What mutual information says against a transform, whoever made it: its place, blank parts, right and left.

    Args:
        transform: fixed to moving.
        same_person: whether both scans show one person, where that is known.
    """
    masks = body_mask(fixed), body_mask(moving)
    return judged_by_images(fixed, moving, masks, Transform(), transform, same_person=same_person)

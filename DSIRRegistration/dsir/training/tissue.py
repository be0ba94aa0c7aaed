"""Random looks for labels: every tissue a mean and a texture, with the coincidences real scanners have."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .random_numbers import chance, uniform
from .volumes import Source

RIGHT_TO_LEFT = {
    41: 2,
    42: 3,
    43: 4,
    44: 5,
    46: 7,
    47: 8,
    49: 10,
    50: 11,
    51: 12,
    52: 13,
    53: 17,
    54: 18,
    58: 26,
    60: 28,
    62: 30,
    137: 136,
    164: 163,
}
"""FreeSurfer's numbers of the right side and their partners on the left."""

BRAIN_CLASSES = (
    (3, 8, 10, 11, 12, 13, 17, 18, 26, 28),  # cortex and deep grey matter
    (2, 7, 16, 85),  # white matter, brain stem
    (4, 5, 14, 15, 24),  # fluid
)
"""Labels that most scanners show alike."""

OUTSIDE_BRAIN = 500
"""SynthSeg's labels from here on are head, not brain."""


FLUID = 24
"""The label of the fluid around the brain, which stripping takes away with the head or leaves."""


def brain(source: Source) -> torch.Tensor:
    """(I, J, K) bool; a head's brain without the fluid around it, or the body of what is no head."""
    labels = source.data
    if int(labels.max()) <= OUTSIDE_BRAIN:
        return source.body
    return (labels > 0) & (labels < OUTSIDE_BRAIN) & (labels != FLUID)


@dataclass(frozen=True, eq=False)
class Looks:
    """(L,) mean intensity and texture deviation of each label; label 0 is background."""

    mean: torch.Tensor
    deviation: torch.Tensor


def random_table(count: int, generator: torch.Generator, *, hidden: bool = False) -> Looks:
    """Looks for labels 0..count-1.

    Means are random; then, each with a probability: sides look alike, labels are grouped, brain tissues nearly vanish
    beside bone (CT), everything outside the brain is background (``hidden``), background is not dark.
    """
    mean = torch.rand(count, generator=generator)
    if chance(0.5, generator):  # a handful of looks shared by all labels
        groups = torch.rand(int(uniform(3, 9, generator)), generator=generator)
        pick = torch.randint(0, len(groups), (count,), generator=generator)
        jitter = uniform(0, 0.15, generator) * (torch.rand(count, generator=generator) - 0.5)
        mean = groups[pick] + jitter
    contrast = uniform(0.0, 0.07, generator)
    if count > OUTSIDE_BRAIN:
        mean, band = _as_head(mean, generator)
        contrast *= band
    deviation = contrast * torch.rand(count, generator=generator)
    mean[0], deviation[0] = (0.0, 0.0) if chance(0.8, generator) else (uniform(0, 1, generator), 0.0)
    if hidden and count > OUTSIDE_BRAIN:
        mean[OUTSIDE_BRAIN:], deviation[OUTSIDE_BRAIN:] = mean[0], 0.0
        if chance(0.5, generator):
            mean[FLUID], deviation[FLUID] = mean[0], 0.0  # stripped tightly: the fluid around the brain is gone too
    return Looks(mean, deviation)


def _as_head(mean: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, float]:
    """The means of a head, and how narrow the band of soft tissue is (1: all of the range)."""
    band = 1.0
    if chance(0.6, generator):
        for labels in BRAIN_CLASSES:
            index = torch.tensor(labels)
            mean[index] = mean[index[0]] + uniform(0, 0.5, generator) * (mean[index] - mean[index[0]])
    for right, left in RIGHT_TO_LEFT.items():
        if right < len(mean):
            mean[right] = mean[left]
    if chance(0.42, generator):  # as in CT: soft tissue within a narrow band, bone far from it
        middle, band = uniform(0.2, 0.5, generator), uniform(0.02, 0.3, generator)
        mean[1:OUTSIDE_BRAIN] = middle + band * (mean[1:OUTSIDE_BRAIN] - 0.5)
    return mean, band

"""Random numbers from one generator, so that a step's data depends on its seed alone."""

from __future__ import annotations

import torch


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number in [low, high)."""
    return low + (high - low) * float(torch.rand(1, generator=generator))


def chance(probability: float, generator: torch.Generator) -> bool:
    """True with this probability."""
    return float(torch.rand(1, generator=generator)) < probability


def step_generator(seed: int, step: int) -> torch.Generator:
    """The generator of one training step: a run resumed at that step draws what an uninterrupted one draws."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % (2**63 - 1))

"""A descriptor that does not describe twice what is judged twice."""

from __future__ import annotations

from typing import Any

import torch
from dsir.features.descriptor import Descriptor


class Remembering:
    """A descriptor that keeps its last two descriptions: a fixed scan is the same however its partner goes astray."""

    def __init__(self, inner: Descriptor) -> None:
        self._inner = inner
        self._known: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def describe(self, normalised: torch.Tensor) -> torch.Tensor:
        """(I, J, K) to (C, I, J, K)."""
        kept = next((one for one in self._known if torch.equal(one[0], normalised)), None)
        newest = kept or (normalised.clone(), self._inner.describe(normalised))
        self._known = [newest, *(one for one in self._known if one is not kept)][:2]
        return newest[1]

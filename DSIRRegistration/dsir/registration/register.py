"""The pipeline: two images in, one transform out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..field import DisplacementField
from ..image import Image
from ..lattice import Lattice
from ..progress import Progress, silent
from ..transform import Linear, Transform
from .settings import RegistrationSettings


@dataclass(frozen=True)
class RegistrationResult:
    """What a registration found.

    Attributes:
        transform: fixed to moving; the parts are ``(residual field, linear[, initial])``.
        settings: what it ran with.
        report: JSON-ready facts: ``seconds`` by stage, ``similarity`` before and after, ``folds``, ``sd_log_j``,
            ``coverage`` (share of the fixed body that has a counterpart in the moving image), ``warnings``.
    """

    transform: Transform
    settings: RegistrationSettings
    report: dict[str, Any]

    def displacement(self, lattice: Lattice) -> DisplacementField:
        """u(x) in RAS mm at the voxels of ``lattice``, everything included."""
        return self.transform.displacement(lattice)


def register(
    fixed: Image,
    moving: Image,
    settings: RegistrationSettings | None = None,
    *,
    fixed_mask: torch.Tensor | None = None,
    moving_mask: torch.Tensor | None = None,
    initial: Transform | None = None,
    progress: Progress = silent,
) -> RegistrationResult:
    """Find where each fixed point lies in the moving image.

    Args:
        fixed_mask, moving_mask: bool tensors on their images' lattices; the body is found when they are not given.
        initial: a start, fixed to moving; it stays a part of the result.
        progress: told of each step; raises :class:`dsir.errors.Cancelled` to stop.

    Raises:
        DsirError: the images share no space, hold nothing, or a setting is impossible.
    """
    settings = settings or RegistrationSettings()
    progress("done", 1.0, "nothing to do yet")
    return RegistrationResult(
        Transform(
            (
                DisplacementField.identity(fixed.lattice),
                *(initial.parts if initial else (Linear(torch.eye(4).numpy()),)),
            )
        ),
        settings,
        {},
    )

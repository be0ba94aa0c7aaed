"""How well two images agree through a transform that somebody gives, at the cost of a few seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..features.mind import Mind
from ..geometry.body_mask import body_mask
from ..geometry.image import Image
from ..transforms.composite import Transform
from .agreement import mean_cosine
from .working_grid import FeatureMap, describe, working_lattice

VOXELS = 100_000
"""Of the lattice on which it is measured, at most."""

SPACING = 4.0


@dataclass(frozen=True, eq=False)
class StartSimilarity:
    """Measures transforms of one pair of images.

    Attributes:
        target: the fixed image, described.
        moving, moving_mask: the moving image and its body.
    """

    target: FeatureMap
    moving: Image
    moving_mask: torch.Tensor

    @staticmethod
    def of(
        fixed: Image, moving: Image, fixed_mask: torch.Tensor | None = None, moving_mask: torch.Tensor | None = None
    ) -> StartSimilarity:
        """Describe the fixed image by MIND on a coarse lattice; bodies are found where no mask is given."""
        mask = body_mask(fixed) if fixed_mask is None else fixed_mask
        native = float(np.prod(fixed.lattice.spacing) ** (1 / 3))
        spacing = max(SPACING, native) if native > 1.0 else 4 * native
        size = float(np.prod(working_lattice(fixed, mask, spacing=spacing, margin=spacing).shape))
        spacing *= max(1.0, (size / VOXELS) ** (1 / 3))
        lattice = working_lattice(fixed, mask, spacing=spacing, margin=spacing)
        other = body_mask(moving) if moving_mask is None else moving_mask
        return StartSimilarity(describe(Mind(), fixed, mask, lattice), moving, other)

    def through(self, transform: Transform) -> float:
        """Mean cosine over the fixed body, the moving image pulled through ``transform``; missing voxels count 0."""
        source = describe(Mind(), self.moving, self.moving_mask, self.target.lattice, transform)
        return mean_cosine(self.target, source, None)

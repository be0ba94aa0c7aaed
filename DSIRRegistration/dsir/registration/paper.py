"""The descent of the paper, as far as it is known: Adam on a dense displacement, coarse to fine (METHOD.md [R])."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch

from ..geometry.sampling import affine_grid, sample
from ..transforms.field import DisplacementField
from .checked import Count, NotNegative, Positive, Several, checked, same_length
from .regularity import remove_folds
from .working_grid import FeatureMap


@checked
class PaperSettings:
    """One value for each level, coarse to fine.

    Attributes:
        scales: lattice spacing as a multiple of the finest.
        iterations, rates: steps of Adam and their size in voxels.
        diffusion: weight of the mean squared gradient of the displacement.
    """

    scales: Annotated[tuple[Positive, ...], Several] = (4.0, 2.0, 1.0)
    iterations: Annotated[tuple[Count, ...], Several] = (100, 80, 50)
    rates: Annotated[tuple[Positive, ...], Several] = (1e-2, 5e-3, 3e-3)
    diffusion: Annotated[tuple[NotNegative, ...], Several] = (0.6, 0.5, 0.4)

    def __post_init__(self) -> None:
        same_length(self, "scales", "iterations", "rates", "diffusion")


def descend_as_paper(
    fixed: FeatureMap,
    moving: FeatureMap,
    start: DisplacementField,
    settings: PaperSettings,
    tell: Callable[[float, float], None] = lambda fraction, loss: None,
) -> DisplacementField:
    """Minimise 1 - cosine plus diffusion by Adam; folds, which nothing here prevents, are removed after each level.

    The rates of [R] are for displacements normalised to the lattice, -1..1; so is the variable here.
    """
    field = start
    for n, scale in enumerate(settings.scales):
        spacing = float(fixed.lattice.spacing[0]) * scale
        target, source = fixed.on(spacing), moving.on(spacing)
        base = affine_grid(target.lattice, source.lattice)
        half = (torch.tensor(target.lattice.shape, dtype=torch.float32).view(3, 1, 1, 1) - 1).clamp(min=1) / 2
        unit = (field.on(target.lattice).to_index() / half).requires_grad_()
        optimiser = torch.optim.Adam([unit], lr=settings.rates[n])
        with torch.enable_grad():
            for iteration in range(settings.iterations[n]):
                warped = sample(source.features.float(), base + unit * half, padding="border")
                cosine = torch.nn.functional.cosine_similarity(target.features.float(), warped, dim=0)
                loss = 1 - (cosine * target.mask).sum() / target.mask.sum()
                smooth = sum(torch.diff(unit * half, dim=d).square().mean() for d in (1, 2, 3))
                optimiser.zero_grad()
                (loss + settings.diffusion[n] * smooth).backward()
                optimiser.step()
                tell((n + iteration / settings.iterations[n]) / len(settings.scales), float(loss.detach()))
        field = DisplacementField.from_index(remove_folds((unit * half).detach())[0], target.lattice)
    return field

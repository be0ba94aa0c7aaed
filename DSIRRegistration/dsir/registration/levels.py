"""The descent from coarse to fine: ours, or the paper's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ..progress import Progress
from ..transforms.field import DisplacementField
from .descent import Level, descend
from .landmark_forces import LandmarkForces
from .leading_directions import projected
from .local_correlation import correlated
from .paper import descend_as_paper
from .placing import LevelFeatures
from .regularity import composed, remove_folds
from .residual_weighing import PairNoise, noise_of_pair, residual_weights
from .settings import RegistrationSettings


def descend_levels(
    features: LevelFeatures,
    field: DisplacementField,
    settings: RegistrationSettings,
    forces: LandmarkForces | None,
    progress: Progress,
) -> DisplacementField:
    """The field after every level, by the method that was chosen."""
    target, source = features.whole
    if settings.descent.method == "paper":
        return descend_as_paper(
            target,
            source,
            field,
            settings.descent.paper,
            lambda fraction, loss: progress("descent", 0.55 + 0.4 * fraction, f"loss {loss:.3f}"),
        )
    working = float(target.lattice.spacing[0])
    levels = [replace(level, stiffness=level.stiffness.on(working)) for level in settings.descent.levels]
    done, total = 0, sum(level.iterations for level in levels)
    noise: PairNoise | None = None
    for n, level in enumerate(levels):
        weighing = noise if noise is not None and noise.worth else None
        if noise is not None and not noise.one_anatomy:
            # Between two persons, local correlation and exact edges follow what differs (abdomen, Dice: 0.49 without
            # both, 0.465 with place vectors, 0.44 with correlation too).
            if level.local:
                continue
            level = replace(level, place=False)
        if n:
            features = features.through(field)
        spacing = level.scale * working
        if level.place:
            progress("descent", 0.55 + 0.4 * done / total, "describing where edges lie")
            pair = features.placing
        elif n and any(later.place for later in levels[n:]):
            pair = features.detail()
        else:
            pair = features.whole
        fine, other = (image.on(spacing) for image in pair)
        beneath = field.on(fine.lattice).to_index() if n else None

        def tell(n: int, cost: float, done: int = done, level: Level = level, spacing: float = spacing) -> None:
            message = f"{spacing:.3g} mm, step {n + 1} of {level.iterations}, similarity {1 - cost / 2:.3f}"
            progress("descent", 0.55 + 0.4 * (done + n) / total, message)

        u = field.on(fine.lattice).to_index() if beneath is None else torch.zeros(3, *fine.lattice.shape)
        if level.local:
            fine, other = correlated(fine, other, level.local)
        elif level.place or weighing is not None:
            fine, other = projected(fine, other, residual_weights(fine, other, u, level.robust))
        if weighing is not None:
            level = replace(level, stiffness=weighing.stiffened(level.stiffness))
        u, _ = descend(fine, other, u, level, tell, forces, beneath=beneath)
        if n == 0 and settings.descent.weighed and len(levels) > 1:
            # Asked where it costs least; weighed steps begin on this level too, so that the next starts from them.
            noise = noise_of_pair(fine, other, u, level.robust, level.stiffness)
            if noise.worth:
                still = _standing(tell, level.iterations - 1)
                u, _ = descend(fine, other, u, level, still, forces, noise.weights)
        if beneath is not None:
            u, _ = remove_folds(composed(beneath, u))
        field = DisplacementField.from_index(u, fine.lattice)
        done += level.iterations
    return field


def _standing(tell: Callable[[int, float], None], step: int) -> Callable[[int, float], None]:
    """Tells always of one step: nobody foresaw those that it is told of, so that progress stands meanwhile."""
    return lambda _, cost: tell(step, cost)

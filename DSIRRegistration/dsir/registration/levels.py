"""The descent from coarse to fine: ours, or the paper's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..progress import Progress
from ..transforms.field import DisplacementField
from .descent import Level, descend
from .landmark_forces import LandmarkForces
from .paper import descend_as_paper
from .residual_weighing import PairNoise, noise_worth_weighing, residual_weights
from .settings import RegistrationSettings
from .working_grid import FeatureMap


def descend_levels(
    target: FeatureMap,
    source: FeatureMap,
    field: DisplacementField,
    settings: RegistrationSettings,
    forces: LandmarkForces | None,
    progress: Progress,
    placing: Callable[[], tuple[FeatureMap, FeatureMap]] | None = None,
) -> DisplacementField:
    """The field after every level, by the method that was chosen.

    Args:
        placing: describes both images for the levels that place (:mod:`.placing`); asked for when the first is reached.
    """
    if settings.descent.method == "paper":
        return descend_as_paper(
            target,
            source,
            field,
            settings.descent.paper,
            lambda fraction, loss: progress("descent", 0.55 + 0.4 * fraction, f"loss {loss:.3f}"),
        )
    done, total = 0, sum(level.iterations for level in settings.descent.levels)
    noise: PairNoise | None = None
    placed: tuple[FeatureMap, FeatureMap] | None = None
    for n, level in enumerate(settings.descent.levels):
        spacing = level.scale * float(target.lattice.spacing[0])
        if level.place and placed is None and placing:
            progress("descent", 0.55 + 0.4 * done / total, "describing where edges lie")
            placed = placing()
        pair = placed if level.place and placed else (target, source)
        fine, other = (image.on(spacing) for image in pair)

        def tell(n: int, cost: float, done: int = done, level: Level = level, spacing: float = spacing) -> None:
            message = f"{spacing:.3g} mm, step {n + 1} of {level.iterations}, similarity {1 - cost / 2:.3f}"
            progress("descent", 0.55 + 0.4 * (done + n) / total, message)

        u = field.on(fine.lattice).to_index()
        weights = None
        if level.place or noise is not None:
            weights = residual_weights(fine, other, u, level.robust)
        if noise is not None:
            level = replace(level, stiffness=noise.held(level.stiffness))
        u, _ = descend(fine, other, u, level, tell, forces, weights)
        if n == 0 and settings.descent.weighed and len(settings.descent.levels) > 1:
            # Asked where it costs least; weighed steps begin on this level too, so that the next starts from them.
            noise = noise_worth_weighing(fine, other, u, level.robust, level.stiffness)
            if noise is not None:
                u, _ = descend(fine, other, u, level, tell, forces, noise.weights)
        field = DisplacementField.from_index(u, fine.lattice)
        done += level.iterations
    return field

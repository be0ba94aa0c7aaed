"""Our own descent on descriptors: regularised Gauss-Newton steps, composed so that the mapping stays a diffeomorphism.

Each step linearises the squared difference of the descriptors (:mod:`.normal`), solves for the small displacement d of
the reading point (:mod:`.solver`) and composes, u <- u o (1 + d) + d, with a step that is a diffeomorphism itself
(:mod:`.regularity`). Ten such steps go where a hundred of Adam do (measured: Docs/measurements/solver.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

import torch

from ..geometry.sampling import affine_grid
from .checked import Count, NotNegative, Positive, checked
from .landmark_forces import LandmarkForces
from .normal import normal_equations
from .regularity import composed, remove_folds, safe_step
from .solver import Stiffness, step
from .working_grid import FeatureMap


@checked
class Level:
    """One level of the descent.

    Attributes:
        scale: spacing of the lattice that is matched on, in working voxels; descriptors are averaged down to it.
        iterations: Gauss-Newton steps.
        relaxation: factor of each step's length; beyond 1 is over-relaxation. Noise in the gradients adds to the
            curvature, so that plain steps go half of their way (each is measured to be half of the one before).
        stiffness: how the field is held together.
        robust: squared residuals |F - M|^2 (0..4 for unit descriptors) beyond this count less and less.
        stop: mm; the level ends when the mean step is shorter.
        place: match where edges lie (:mod:`.placing`), weighed by the pair's own residuals; for the last levels.
        local: voxels, standard deviation of the Gaussian within which channels are correlated
            (:mod:`.local_correlation`); 0: they are compared as they are.
    """

    scale: Positive = 1.0
    iterations: Count = 5
    relaxation: Positive = 1.5
    stiffness: Stiffness = field(default_factory=Stiffness)
    robust: Positive = 1.0
    stop: NotNegative = 0.03
    place: bool = False
    local: NotNegative = 0.0


def descend(
    fixed: FeatureMap,
    moving: FeatureMap,
    u: torch.Tensor,
    level: Level,
    tell: Callable[[int, float], None] = lambda n, cost: None,
    forces: LandmarkForces | None = None,
    weights: torch.Tensor | None = None,
    beneath: torch.Tensor | None = None,
) -> tuple[torch.Tensor, list[float]]:
    """Improve a displacement on one level.

    Args:
        fixed, moving: described on lattices of the level's scale with the same directions.
        u: (3, I, J, K) voxels, on the fixed lattice.
        tell: called with the number of the step and the cost before it.
        forces: pairs of points that pull on the field.
        weights: (C, C) by which both sides' channels are multiplied (:mod:`.residual_weighing`).
        beneath: (3, I, J, K) voxels, a displacement through which ``moving`` was described; the two together are held
            by the stiffness and pulled by the forces.

    Returns:
        the displacement without folds, and the cost before each step (2 - 2 cos, mean over the mask).
    """
    base = affine_grid(fixed.lattice, moving.lattice)
    costs: list[float] = []
    for n in range(level.iterations):
        equations = normal_equations(
            fixed.features,
            moving.features,
            moving.reach,
            fixed.mask,
            base + u,
            robust=level.robust,
            weights=weights,
            control=level.stiffness.control if forces is None else 1,
        )
        costs.append(equations.cost)
        tell(n, equations.cost)
        # Both together but for what `beneath` differs within u, which is short; only landmarks need it exactly.
        whole = u if beneath is None else beneath + u
        if forces is not None:
            exact = whole if beneath is None else composed(beneath, u)
            equations = forces.pulling(equations, exact, fixed.lattice, fixed.mask)
        d = safe_step(level.relaxation * step(equations, whole, fixed.mask, level.stiffness))
        u = composed(u, d)
        if float(d.square().sum(0).sqrt().mean()) * fixed.lattice.spacing[0] < level.stop:
            break
    return remove_folds(u)[0], costs

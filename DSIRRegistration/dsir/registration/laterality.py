"""Laterality check: the scans are registered once more, coarsely, with left and right exchanged.

A head is nearly its own mirror image, and a deformation mends what is not: a scan whose left and right were exchanged
on its way reaches similarities that no threshold tells from right ones. What tells it is the comparison: the fixed
body is mirrored about its own middle, the moving scan is registered to that in the same manner, and mutual
information, which neither was fitted to, says on the same voxels which of the two explains the scans better.
"""

from __future__ import annotations

import numpy as np
import torch

from ..features.mind import Mind
from ..geometry.image import Image
from ..transforms.composite import Transform, linear_matrix
from ..transforms.field import DisplacementField
from ..transforms.linear import Linear
from .descent import Level, descend
from .discrete import DiscreteSettings, discrete_search
from .linear import Posed, refine
from .prepared_image import PreparedImage
from .refinement import linear_part
from .search import centre_of_mass
from .solver import Stiffness
from .working_grid import FeatureMap, describe, working_lattice

SPACING, VOXELS = 4.0, 160_000
"""mm of the lattice on which the mirrored scan is registered, and its voxels at most (a trunk: 6 mm; at 8 mm one of two
mirrored abdomens was no longer found)."""

SEARCH = 8.0
"""mm of the lattice on which the mirrored pose is refined first."""

REACH = 24.0
"""mm that the mirrored scan's organs may move by."""

LEVEL = Level(iterations=8, relaxation=1.0, stiffness=Stiffness(bending=0.6))
"""Of the descent on that lattice: as soft as the result's, or two persons' brains look as if they had sides. Held eight
times as stiff, exchanging the sides of two such pairs cost 0.10 and 0.11 of the mutual information that `fast` found;
now -0.04 and 0.03. Fourteen right pairs of one person lose 0.32 to 0.75, as before."""


def mirrored_results(
    fixed: Image, moving: Image, masks: tuple[torch.Tensor, torch.Tensor], found: Transform
) -> list[Transform]:
    """The best that are found near ``found`` with the sides exchanged, fixed to moving: a linear one, and a deformed
    one if ``found`` is deformed. Neither is always the better; so coarse a deformation can spoil a good pose.

    Args:
        masks: (I, J, K) bool of fixed and moving on their own lattices.
    """
    extent = working_lattice(fixed, masks[0], spacing=SPACING, margin=SPACING).extent
    spacing = max(SPACING, float(extent.prod() / VOXELS) ** (1 / 3))
    lattice = working_lattice(fixed, masks[0], spacing=spacing, margin=SPACING)
    target = describe(Mind(), PreparedImage.of(fixed, masks[0], spacing), None, lattice)
    posed = Posed(PreparedImage.of(moving, masks[1], spacing), Mind(), lattice)
    matrix = linear_part(found) @ reflection(centre_of_mass(target.mask, lattice))
    for step in (max(SEARCH, spacing), spacing):
        tried = refine(target, posed, matrix, model="affine", spacing=step)
        matrix = tried.matrix if tried.after > tried.before else matrix
    linear = Linear(matrix)
    if linear_matrix(found) is not None:
        return [Transform((linear,))]
    return [Transform((linear,)), Transform((_deformed(target, posed.described(matrix)), linear))]


def _deformed(target: FeatureMap, source: FeatureMap) -> DisplacementField:
    spacing = float(target.lattice.spacing[0])
    begun = discrete_search(target, source, DiscreteSettings(grids=(3 * spacing,), captures=(REACH,)))
    u, _ = descend(target, source, begun.on(target.lattice).to_index(), LEVEL)
    return DisplacementField.from_index(u, target.lattice)


def reflection(centre: np.ndarray) -> np.ndarray:
    """(4, 4) that exchanges right and left about a plane through ``centre`` (RAS mm)."""
    matrix = np.diag([-1.0, 1.0, 1.0, 1.0])
    matrix[0, 3] = 2 * centre[0]
    return matrix

"""Random smooth deformations with a known answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from ..errors import DsirError
from ..geometry.lattice import Lattice
from ..transforms.composite import Transform
from ..transforms.field import DisplacementField
from ..transforms.jacobian import fold_report
from ..transforms.linear import Linear


@dataclass(frozen=True)
class DeformationSettings:
    """How a random deformation looks.

    Attributes:
        knots: mm between the knots of the cubic B-spline.
        amplitude: mm; length of the longest displacement vector of the spline.
        rotation: degrees about a random axis through the lattice's centre, after the spline.
        translation: mm along a random direction, after the spline.
        smallest_jacobian: draws whose Jacobian determinant falls below this anywhere (by central differences and by all
            eight one-sided stencils) are thrown away.
        draws: how many draws are tried.
    """

    knots: float = 38.0
    amplitude: float = 13.0
    rotation: float = 0.0
    translation: float = 0.0
    smallest_jacobian: float = 0.15
    draws: int = 200


def random_deformation(
    lattice: Lattice,
    settings: DeformationSettings | None = None,
    *,
    seed: int = 0,
    mask: torch.Tensor | None = None,
) -> DisplacementField:
    """A smooth, fold-free u(x) on ``lattice``, the same for the same seed.

    Args:
        mask: (I, J, K) bool; the amplitude is reached inside it. Everywhere by default.

    Raises:
        DsirError: no draw was free of folds; the amplitude is too large for the knots.
    """
    settings = settings or DeformationSettings()
    rng = np.random.default_rng([seed, 1])
    inside = mask if mask is not None and bool(mask.any()) else torch.ones(lattice.shape, dtype=torch.bool)
    for _ in range(settings.draws):
        field = _spline(lattice, settings.knots, rng)
        longest = float(field.vectors.norm(dim=0)[inside].max())
        field = DisplacementField(field.vectors * (settings.amplitude / longest), lattice)
        if fold_report(field).smallest >= settings.smallest_jacobian:
            rigid = _random_rigid(lattice.centre, settings, rng)
            return field if rigid.is_identity else Transform((field, rigid)).displacement(lattice)
    raise DsirError(
        f"None of {settings.draws} random deformations of {settings.amplitude:g} mm with knots of {settings.knots:g} "
        "mm was free of folds; lower the amplitude or widen the knots."
    )


def _spline(lattice: Lattice, knots: float, rng: np.random.Generator) -> DisplacementField:
    """A cubic B-spline along the lattice's own axes; coefficients uniform in -1..1 for each RAS component."""
    bases = [_basis(n, step, knots, rng.uniform(0, 1)) for n, step in zip(lattice.shape, lattice.spacing, strict=True)]
    coefficients = rng.uniform(-1, 1, (3, *(basis.shape[1] for basis in bases)))
    vectors = np.einsum("cpqr,ip,jq,kr->cijk", coefficients, *bases, optimize=True)
    return DisplacementField(torch.as_tensor(vectors, dtype=torch.float32), lattice)


def _basis(count: int, spacing: float, knots: float, offset: float) -> np.ndarray:
    """(count, knots) weights of a cubic B-spline at each voxel; ``offset`` shifts the knots, in steps."""
    position = np.arange(count) * spacing / knots + offset
    distance = np.abs(position[:, None] - np.arange(-1, int(position[-1]) + 3)[None])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far)


def _random_rigid(centre: np.ndarray, settings: DeformationSettings, rng: np.random.Generator) -> Linear:
    axis, direction = _unit(rng), _unit(rng)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(settings.rotation * axis, degrees=True).as_matrix()
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + settings.translation * direction
    return Linear(matrix)


def _unit(rng: np.random.Generator) -> np.ndarray:
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)

"""The linear stage: rigid, then affine, by Gauss-Newton on the descriptors.

It is accepted only if the similarity inside the mask rises: a linear stage can ruin a good start (METHOD.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import torch

from ..features.descriptor import Descriptor
from ..geometry.lattice import Lattice
from ..geometry.sampling import affine_grid, sample
from ..transforms.composite import Transform
from ..transforms.linear import Linear
from .checked import Positive, Several, checked
from .normal import normal_equations
from .prepared_image import PreparedImage
from .working_grid import FeatureMap, describe, reach_in_fixed, widened

Model = Literal["auto", "none", "translation", "rigid", "similarity", "affine"]
"""How many numbers the linear part may have: 0, 3, 6, 7 or 12; ``auto`` lets the scans decide."""


NUMBERS = {"none": 0, "translation": 3, "rigid": 6, "similarity": 7, "affine": 12}
"""Each model and how many numbers it has, from the simplest on."""


@checked
class LinearSettings:
    """The linear stage.

    Attributes:
        start: ``"auto"`` (a global search over translations and rotations, beside the images' own positions),
            ``"identity"``, ``"centre"`` (centres of the body masks) or ``"axes"`` (principal axes of the masks).
            A start given by the user takes the place of all of these.
        model: ``"none"``, ``"translation"``, ``"rigid"``, ``"similarity"`` (rigid and one scale) or ``"affine"``;
            ``"auto"``: the simplest that none of the others beats on parts of the scan it was not fitted to.
        search: mm of the lattice on which translations are correlated.
        angles: degrees; rotations tried about each axis, both ways.
        spacing: mm of the lattice that turns are refined on.
        fine: mm of the lattice that the model is chosen and fitted on; coarser for a large body.
    """

    start: Literal["auto", "identity", "centre", "axes"] = "auto"
    model: Model = "auto"
    search: Positive = 8.0
    angles: Annotated[tuple[Positive, ...], Several] = (15.0,)
    spacing: Positive = 4.0
    fine: Positive = 2.0


@dataclass(frozen=True)
class Posed:
    """The moving image, to be described in fixed space in one pose after another.

    Attributes:
        view: the image, blurred for the descriptor's spacing.
        fixed: the lattice (spacing and directions) to describe it on.
        behind: an initial transform of the user's that follows every pose and is left as it is.
        last: the last pose that was described; a model is judged in the pose in which the next begins.
    """

    view: PreparedImage
    descriptor: Descriptor
    fixed: Lattice
    behind: Transform | None = None
    last: dict[bytes, FeatureMap] = field(default_factory=dict)

    def pose(self, matrix: np.ndarray) -> Transform:
        """The mapping with ``matrix`` (4, 4) as its linear part."""
        return Transform((Linear(matrix), *(self.behind.parts if self.behind else ())))

    def described(self, matrix: np.ndarray) -> FeatureMap:
        """In the pose ``matrix`` (4, 4)."""
        key = matrix.tobytes()
        if key not in self.last:
            self.last.clear()
            pose = self.pose(matrix)
            lattice = widened(self.fixed, REACH, reach_in_fixed(self.view.whole, pose))
            self.last[key] = describe(self.descriptor, self.view, None, lattice, pose, cubic=False)
        return self.last[key]

    def cosines(self, target: FeatureMap, matrix: np.ndarray) -> torch.Tensor:
        """(I, J, K) of each voxel of the fixed image with what lies there in this pose."""
        moving = self.described(matrix)
        return cosines(target, moving, affine_grid(target.lattice, moving.lattice))


REACH = 32.0
"""mm around the fixed lattice to which the moving image is described."""


@dataclass(frozen=True, eq=False)
class Refined:
    """A linear transform that was improved, and what it was improved on.

    Attributes:
        matrix: (4, 4) fixed to moving, RAS mm.
        target, pulled: both images, the moving one in the pose it was refined from.
        step: (4, 4) what was added to that pose, fixed RAS.
    """

    matrix: np.ndarray
    target: FeatureMap
    pulled: FeatureMap
    step: np.ndarray

    @property
    def before(self) -> float:
        """Mean cosine over the fixed body in the pose it was refined from (missing voxels count 0)."""
        return mean_cosine(self.target, self.pulled, np.eye(4))

    @property
    def after(self) -> float:
        """The same at its end."""
        return mean_cosine(self.target, self.pulled, self.step)


def refine(
    fixed: FeatureMap, moving: Posed, matrix: np.ndarray, *, model: str, spacing: float, iterations: int = 10
) -> Refined:
    """Improve a linear transform. Descriptors turn with the image; here only their reading point moves.

    Args:
        fixed: on the lattice whose spacing features are computed at.
        matrix: (4, 4) fixed to moving start, RAS mm.
        model: ``"translation"``, ``"rigid"``, ``"similarity"`` or ``"affine"``.
        spacing: mm of the lattice that is matched on (descriptors are averaged down to it).
    """
    target, pulled, step = fixed.on(spacing), moving.described(matrix).on(spacing), np.eye(4)
    corners = np.concatenate([target.lattice.corners(), np.ones((8, 1))], 1).T
    places = Places(target.lattice.shape)
    for _ in range(iterations):
        index = affine_grid(target.lattice, pulled.lattice, step)
        equations = normal_equations(target.features, pulled.features, pulled.reach, target.mask, index, robust=1.0)
        moved = index_to_world(places.solve(equations.matrix, equations.right, model), target.lattice.affine)
        step = step @ moved
        if np.abs((moved - np.eye(4)) @ corners).max() < 0.02 * spacing:
            break
    step = nearest(step, model)
    return Refined(matrix @ step, target, pulled, step)


def mean_cosine(fixed: FeatureMap, moving: FeatureMap, step: np.ndarray) -> float:
    """Mean cosine over the fixed body when the moving descriptors are read through ``step`` (4, 4) in fixed RAS."""
    return body_mean(cosines(fixed, moving, affine_grid(fixed.lattice, moving.lattice, step)), fixed.mask)


def body_mean(values: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean of (I, J, K) weighed by a mask."""
    return float((values * mask).sum() / mask.sum().clamp(min=1))


def cosines(fixed: FeatureMap, moving: FeatureMap, index: torch.Tensor) -> torch.Tensor:
    """(I, J, K) of each fixed voxel with what lies at ``index`` (3, I, J, K) in the moving image; 0 where nothing."""
    warped = sample(moving.features, index)
    dot, one, two = (torch.zeros_like(fixed.mask) for _ in range(3))
    for f, m in zip(fixed.features, warped, strict=True):
        f, m = f.float(), m.float()
        dot.addcmul_(f, m)
        one.addcmul_(f, f)
        two.addcmul_(m, m)
    return dot.div_(one.mul_(two).sqrt_().clamp_(min=1e-8))


class Places:
    """The places of a lattice's voxels, in units that make the normal equations of an affine map well scaled."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in shape]
        self.shape, self.scale = shape, max(shape) / 2
        x = torch.stack([*torch.meshgrid(*axes, indexing="ij"), torch.full(shape, self.scale)])
        self.x = x.flatten(1) / self.scale  # (4, N)
        self.rows, self.columns = np.triu_indices(4)
        self.products = self.x[self.rows] * self.x[self.columns]  # (10, N)

    def solve(self, matrix: torch.Tensor, right: torch.Tensor, model: str) -> np.ndarray:
        """(3, 4): the affine displacement D [x; 1] in voxels that fits the normal equations best."""
        sums = (matrix.flatten(1) @ self.products.T).double().numpy()  # (6, 10)
        full = np.empty((6, 4, 4))
        full[:, self.rows, self.columns] = full[:, self.columns, self.rows] = sums
        # unknowns theta[r, k]: d_r = sum_k theta[r, k] x_k
        order = np.array([[0, 3, 4], [3, 1, 5], [4, 5, 2]])
        moments = full[order].transpose(0, 2, 1, 3).reshape(12, 12)
        target = (right.flatten(1) @ self.x.T).reshape(12).double().numpy()
        if (basis := basis_of(model)) is not None:
            moments, target = basis.T @ moments @ basis, basis.T @ target
        ridge = 1e-4 * np.trace(moments) / len(moments)
        if not ridge > 0:  # the images do not meet here: nothing pulls in any direction
            return np.zeros((3, 4))
        theta = np.linalg.solve(moments + ridge * np.eye(len(moments)), target)
        if basis is not None:
            theta = basis @ theta
        theta = theta.reshape(3, 4)
        theta[:, :3] /= self.scale
        # A step of more than two voxels leaves the region in which the linearisation says anything.
        theta *= min(1.0, 2.0 / max(np.abs(theta[:, 3]).max(), np.abs(theta[:, :3]).sum(1).max() * self.scale, 1e-9))
        theta[:, 3] -= theta[:, :3] @ ((np.array(self.shape) - 1) / 2)
        return theta


def basis_of(model: str) -> np.ndarray | None:
    """(12, numbers of the model) as affine coefficients (r, k): translations, then rotations, then the scale.

    None for ``"affine"``, which has them all.
    """
    if model == "affine":
        return None
    basis = np.zeros((3, 4, 7))
    for axis in range(3):
        basis[axis, 3, axis] = 1
        basis[axis, axis, 6] = 1
    for n, (a, b) in enumerate(((0, 1), (0, 2), (1, 2)), start=3):
        basis[a, b, n], basis[b, a, n] = 1, -1
    return basis.reshape(12, 7)[:, : NUMBERS[model]]


def index_to_world(delta: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """x -> x + D [x; 1] in voxels of a lattice, as a (4, 4) in RAS."""
    step = np.eye(4)
    step[:3] += delta
    return affine @ step @ np.linalg.inv(affine)


def nearest(matrix: np.ndarray, model: str) -> np.ndarray:
    """The (4, 4) of a model that is nearest to an affine one (polar decomposition); translations keep no turn."""
    if model == "affine":
        return matrix
    out = matrix.copy()
    if model in ("none", "translation"):
        out[:3, :3] = np.eye(3)
        return out if model == "translation" else np.eye(4)
    u, stretch, v = np.linalg.svd(matrix[:3, :3])
    out[:3, :3] = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    if model == "similarity":
        out[:3, :3] *= np.cbrt(stretch.prod())
    return out


def simplest(matrix: np.ndarray) -> str:
    """The model with the fewest numbers that a (4, 4) is of, to hundredths of a millimetre across a person.

    >>> simplest(np.diag([1.1, 1.1, 1.1, 1.0]))
    'similarity'
    """
    return next(model for model in NUMBERS if np.allclose(nearest(matrix, model), matrix, rtol=0, atol=1e-5))

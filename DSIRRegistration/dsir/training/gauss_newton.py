"""The loss that is the descent itself: one Gauss-Newton step from a displaced start must land on the truth.

After the probabilistic Gauss-Newton loss of GN-Net (von Stumberg, Wenzel, Khan and Cremers, RA-L 2020). Descriptors F
of one view and M of the other, read ``offset`` voxels away from where they belong, leave the residual r = F - M in a
patch. The step d = H^-1 b, with H = sum g g^T and b = sum g r of the mean gradients g (as in
:mod:`dsir.registration.normal`), should be -offset, and exp(log_precision) H should be its information: the loss is
the negative log likelihood of the truth under a Student distribution with that information. It trains the basin, the
precision and an honest H at once; at offset 0 it is the placing loss (:mod:`.placing`).

One step from a random start rewards caution: noise in the gradients lengthens H and shortens every step, so a head that
errs at rest looks twice as good as where the descent ends (measured, brain T1-T2, patches of 14 mm: a median of 0.50
mm after one step from the truth, 0.95 after twelve). So the loss is also asked where steps of the head's own have led
(:func:`descended`): there a step is short, and what is left is the error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from ..geometry.sampling import sample
from .views import View, cube, partners_seen

SIDE = 7
"""Voxels of a patch along each axis: 14 mm, as the solver sums at its finest."""

TAILS = 5.0
"""Degrees of freedom: a patch whose step goes astray (it will: not every basin is wide) must not rule the loss."""

RIDGE = 0.02
"""Share of the mean curvature added to each patch's: the solver's stiffness, which keeps flat patches at rest."""


@dataclass(frozen=True, eq=False)
class Patches:
    """Where the two views are read.

    Attributes:
        here: (3, P, SIDE + 2 cubed) whole voxels of the first view.
        there: the same shape; the second view's voxels that show the points ``offset`` away.
        offset: (3, P) voxels of the first view.
        towards: (3, 3) voxels of the second view for one of the first.
    """

    here: torch.Tensor
    there: torch.Tensor
    offset: torch.Tensor
    towards: torch.Tensor

    def to(self, device: torch.device | str) -> Patches:
        """The same on another device."""
        return Patches(*(values.to(device) for values in (self.here, self.there, self.offset, self.towards)))

    def moved(self, step: torch.Tensor) -> Patches:
        """Read (3, P) voxels of the first view further on."""
        there = self.there + (self.towards @ step)[:, :, None]
        return replace(self, there=there, offset=self.offset + step)


@dataclass(frozen=True, eq=False)
class GaussNewton:
    """The loss and what it consists of.

    Attributes:
        loss: scalar.
        rest: root mean square, in voxels, of the step from starts within 0.25 voxels.
        error: median distance, in voxels, from where the step of the others lands to the truth.
        inside: share of the truths within the 95 % ellipsoid of the information.
    """

    loss: torch.Tensor
    rest: float
    error: float
    inside: float


def draw_patches(
    first: View, second: View, visible: torch.Tensor, count: int, farthest: float, generator: torch.Generator
) -> Patches:
    """Up to ``count`` patches both views see, each displaced by up to ``farthest`` voxels; a fifth not at all."""
    size, reach = first.size, SIDE // 2 + 1
    middles = torch.randint(reach + 1, size - reach - 1, (3, 4 * count, 1), generator=generator)
    here = (middles + cube(reach)).float()
    direction = F.normalize(torch.randn(3, here.shape[1], generator=generator), dim=0)
    drawn = torch.rand(here.shape[1], generator=generator)
    length = farthest * torch.where(drawn < 0.2, 0.0, torch.rand(here.shape[1], generator=generator) ** 1.5)
    offset = direction * length
    _, seen = partners_seen(here[:, :, here.shape[2] // 2], first, second, visible, 1.0)
    keep = seen.nonzero()[:, 0][: 2 * count]
    here, offset = here[:, keep], offset[:, keep]
    moved = (here + offset[:, :, None]).flatten(1)
    there = second.from_source(first.to_source(moved)).reshape(here.shape)
    whole = ((there >= 0) & (there <= size - 1)).all(0).all(1).nonzero()[:count, 0]
    towards = torch.linalg.solve(second.matrix, first.matrix)
    return Patches(here[:, whole], there[:, whole], offset[:, whole], towards)


def residual_and_slopes(
    first: torch.Tensor, second: torch.Tensor, patches: Patches
) -> tuple[torch.Tensor, torch.Tensor]:
    """What differs (C, P, SIDE^3), and the mean gradients along the three axes (3, C, P, SIDE^3), per voxel."""
    index, side = patches.here.long(), SIDE + 2
    fixed = first[:, index[0], index[1], index[2]]
    moved = sample(second, patches.there, padding="border")
    fixed, moved = (v.reshape(v.shape[0], -1, side, side, side) for v in (fixed, moved))
    both = 0.5 * (fixed + moved)
    core = slice(1, -1)
    slopes = torch.stack(
        [
            0.5 * (both[:, :, 2:, core, core] - both[:, :, :-2, core, core]),
            0.5 * (both[:, :, core, 2:, core] - both[:, :, core, :-2, core]),
            0.5 * (both[:, :, core, core, 2:] - both[:, :, core, core, :-2]),
        ]
    ).flatten(3)
    return (fixed - moved)[:, :, core, core, core].flatten(2), slopes


def normal_matrices(first: torch.Tensor, second: torch.Tensor, patches: Patches) -> tuple[torch.Tensor, torch.Tensor]:
    """H (P, 3, 3) and b (P, 3) of every patch, per voxel squared and per voxel."""
    residual, slopes = residual_and_slopes(first, second, patches)
    matrix = torch.einsum("acpv,bcpv->pab", slopes, slopes)
    right = torch.einsum("acpv,cpv->pa", slopes, residual)
    return matrix, right


def held_step(first: torch.Tensor, second: torch.Tensor, patches: Patches) -> tuple[torch.Tensor, torch.Tensor]:
    """H (P, 3, 3) with a share of the mean curvature added, as much as keeps flat patches at rest; d (P, 3) by it."""
    matrix, right = (v.double() for v in normal_matrices(first, second, patches))
    mean = matrix.diagonal(dim1=1, dim2=2).mean().detach()
    stiff = matrix + (RIDGE * mean + 1e-9) * torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    return stiff, torch.linalg.solve(stiff, right)


def descended(first: torch.Tensor, second: torch.Tensor, patches: Patches, steps: int) -> Patches:
    """The patches where so many Gauss-Newton steps, of a voxel at most, lead them; nothing is learned on the way."""
    with torch.no_grad():
        for _ in range(steps):
            step = held_step(first, second, patches)[1].T.float()
            patches = patches.moved(step / step.norm(dim=0).clamp(min=1.0))
    return patches


def gauss_newton(
    first: torch.Tensor, second: torch.Tensor, patches: Patches, log_precision: torch.Tensor
) -> GaussNewton:
    """The negative log likelihood of the true displacements, mean over the patches.

    Args:
        first, second: (C, n, n, n) descriptors of the two views.
        log_precision: scalar; see :class:`dsir.features.place.PlaceHead`.
    """
    stiff, step = held_step(first, second, patches)
    missed = step + patches.offset.T
    information = stiff * log_precision.double().exp()
    distance = torch.einsum("pa,pab,pb->p", missed, information, missed)
    likelihood = 0.5 * torch.logdet(information) - 0.5 * (TAILS + 3) * torch.log1p(distance / TAILS)
    with torch.no_grad():
        start = patches.offset.norm(dim=0)
        length = missed.norm(dim=1)
        near = start < 0.25
        rest = float(length[near].square().mean().div(3).sqrt()) if bool(near.any()) else float("nan")
        error = float(length[~near].median()) if bool((~near).any()) else float("nan")
        # The Student distribution's own 95 %: 3 F(0.95; 3, 5).
        inside = float((distance < 3 * 5.41).double().mean())
    return GaussNewton(-likelihood.mean().float(), rest, error, inside)


def basin(
    first: torch.Tensor,
    second: torch.Tensor,
    patches: Patches,
    shifts: torch.Tensor,
    log_sharpness: torch.Tensor,
) -> tuple[torch.Tensor, float]:
    """Cross-entropy of the true place among displaced ones, by the sum of squared differences over patches.

    Args:
        patches: drawn with an offset of zero.
        shifts: (3, K) voxels of the second view, the places that are wrong.

    Returns:
        the loss, and the share of patches whose best place is the true one.
    """
    index = patches.here.long()[:, :, ::3]
    fixed = first[:, index[0], index[1], index[2]]
    there = patches.there[:, :, ::3]
    places = torch.cat([torch.zeros(3, 1, device=shifts.device), shifts], 1)
    candidates = sample(second, there[:, None] + places[:, :, None, None], padding="border")
    differences = (candidates - fixed[:, None]).square().sum(0).mean(-1)  # (K + 1, P)
    logits = -differences.T * log_sharpness.exp() * 10
    target = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    hits = float((logits.detach().argmax(1) == 0).float().mean())
    return F.cross_entropy(logits, target), hits

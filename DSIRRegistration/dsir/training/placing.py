"""The placing loss: where two views fit, registration must stay at rest.

Registration sums the evidence of many voxels: with H = sum g^2 of a patch's gradients g and b = sum g r of what differs
between the images, it steps by b / H. Where the images fit already that step should be nothing, but differences that
are alike in neighbours do not average out: contrast alone pulls. A representation that finds well may place badly
(measured: Docs/model.md), and InfoNCE, which looks at single voxels, does not mind.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..geometry.sampling import sample
from .views import View, cube, partners_seen

SIDE = 7
"""Voxels of a patch along each axis: 14 mm, as registration sums at its finest."""

EDGE = 2
"""Voxels of a view's rim where no patch lies."""


def patches(
    first: View, second: View, visible: torch.Tensor, count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Up to ``count`` patches of the first view that both views see.

    Args:
        visible: (I, J, K) bool on the source.

    Returns:
        (3, P, SIDE^3) whole voxels in the first, and where in the second view they are shown; P <= ``count``.
    """
    size, reach = first.size, SIDE // 2
    middles = torch.randint(EDGE + reach, size - EDGE - reach, (3, 4 * count, 1), generator=generator)
    here = (middles + cube(reach)).float()
    partners, inside = partners_seen(here.flatten(1), first, second, visible, EDGE)
    there, seen = partners.reshape(here.shape), inside.reshape(here.shape[1:])
    whole = seen.all(1).nonzero()[:count, 0]
    return here[:, whole], there[:, whole]


def pull(first: torch.Tensor, second: torch.Tensor, here: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Root mean square over patches and axes of the step that should be nothing, in voxels.

    Args:
        first, second: (C, n, n, n) unit vectors of the two views.
        here: (3, P, V) whole voxels of the first, at least one from its border.
        there: (3, P, V) their places in the second.
    """
    index = here.long()
    steps = torch.eye(3, dtype=torch.long, device=index.device)[:, :, None, None]
    ahead, behind = (torch.stack([_at(first, index + sign * step) for step in steps]) for sign in (1, -1))
    slopes = 0.5 * (ahead - behind)  # (3, C, P, V)
    brought = F.normalize(sample(second, there), dim=0)
    difference = _at(first, index) - brought
    steepness = slopes.square().sum((1, 3))
    pulled = (slopes * difference).sum((1, 3))
    return (pulled.square().mean() + 1e-8).sqrt() / (steepness.mean() + 1e-6)


def _at(volume: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return volume[:, index[0], index[1], index[2]]

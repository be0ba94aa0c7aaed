"""The linear layer that places best, in closed form: where a place head's direct path begins.

In patches where two views fit, h = sum g^2 of a channel's gradients and b = sum g r of what differs. The channels are
turned to directions of large gradient for their noise, and each gets the non-negative weight that makes the summed step
least wrong (the best linear estimate). Measured on training scans: MIND-SSC of radius 1 leaves 0.28 voxels of a step,
two radii so weighed 0.19 (``Testing/benchmarks/placing.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.linalg import eigh
from scipy.optimize import nnls

from .gauss_newton import Patches, residual_and_slopes

if TYPE_CHECKING:
    from ..features.place import PlaceHead
    from .place import PlaceExamples

FIRST = 10_000_000
"""Number of the first example that is fitted to; a run never comes this far."""


@torch.no_grad()
def begin_directly(head: PlaceHead, examples: PlaceExamples, count: int = 90) -> None:
    """Set the head's direct path to the mixtures of relations that place best on ``count`` examples."""
    found = []
    for number in range(FIRST, FIRST + count):
        example = examples.draw(number)
        first, second = (head.relations(view[None, None])[0] for view in (example.first, example.second))
        found.append(patch_parts(first, second, example.fitting))
    parts = torch.cat(found)
    turn = placing_directions(parts)
    h, b = sums(parts, turn)
    best = (placing_weights(h, b) * h.mean((0, 1))).argsort(descending=True)[: head.settings.channels]
    weights = placing_weights(h[..., best], b[..., best])
    direct = (turn[:, best] * weights.sqrt()).T
    head.direct.weight.copy_(direct[:, :, None, None, None] / direct.norm() * len(direct) ** 0.5)
    if head.direct.bias is not None:
        head.direct.bias.zero_()


def patch_parts(first: torch.Tensor, second: torch.Tensor, patches: Patches) -> torch.Tensor:
    """(P, 4, C, SIDE^3): what differs, and the mean gradients along the three axes."""
    residual, slopes = residual_and_slopes(first, second, patches)
    return torch.cat([residual[None], slopes]).permute(2, 0, 1, 3).contiguous()


def placing_directions(patches: torch.Tensor) -> torch.Tensor:
    """(C, C) columns: the channels' mixtures of large gradient for their difference between views.

    Args:
        patches: (N, 4, C, V), see :func:`patch_parts`.
    """
    flat = patches.permute(1, 2, 0, 3).flatten(2).double().numpy()  # (4, C, M)
    noise = flat[0] @ flat[0].T / flat.shape[2]
    signal = sum(part @ part.T for part in flat[1:]) / flat.shape[2]
    noise += 1e-4 * np.trace(noise) / len(noise) * np.eye(len(noise))
    return torch.as_tensor(eigh(signal, noise)[1], dtype=torch.float32)


def sums(patches: torch.Tensor, turn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """h and b, (N, 3, P): each turned channel's curvature and pull, summed over every patch."""
    h, b = [], []
    for part in patches.split(100):
        turned = torch.einsum("nscv,cp->nspv", part, turn)
        difference, slopes = turned[:, :1], turned[:, 1:]
        h.append(slopes.square().sum(-1))
        b.append((slopes * difference).sum(-1))
    return torch.cat(h), torch.cat(b)


def placing_weights(h: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(P,) weights >= 0 that make E[(sum a b)^2] least while sum a E[h] stays 1."""
    flat, mean = b.flatten(0, 1).double().numpy(), h.mean((0, 1)).double().numpy()
    spread = flat.T @ flat / len(flat)
    root = np.linalg.cholesky(spread + 1e-6 * spread.trace() / len(spread) * np.eye(len(spread))).T
    strong = 1e3 * np.abs(root).max()  # the side condition as one more, very heavy row
    weights, _ = nnls(np.vstack([root, strong * mean / mean.mean()]), np.append(np.zeros(len(mean)), strong))
    return torch.as_tensor(weights, dtype=torch.float32)

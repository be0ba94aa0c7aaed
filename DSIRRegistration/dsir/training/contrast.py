"""The contrastive loss: the same anatomical point in two views is alike, every other point is not (PatchNCE [A])."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..geometry.sampling import sample


@dataclass(frozen=True)
class LossSettings:
    """Settings of InfoNCE.

    Attributes:
        temperature: [R: 0.07].
        positions: sampled for each pair of views [R: 8196]; all others of the image are negatives.
        near: share of the positions that lie 1 to 4 voxels from another one (near negatives).
        reach: voxels; in the main term the negatives of a position are those within this distance. Negatives from all
            over the view are won by a coarse idea of where in the view a point lies, which zero padding tells
            (measured: retrieval 0.03 after 300 steps with a loss 2 nats under chance).
        far: weight of the second term, whose negatives are all positions of the image [P].
        gce_exponent: q of the generalised cross-entropy (1 - p^q) / q (Zhang and Sabuncu 2018); 0 is InfoNCE. Many
            positions cannot be told apart (flat tissue, noise), and InfoNCE gives most weight to those.
        indifferent: voxels; positions nearer than this to a positive are no negatives of it.
        placing: weight of the placing loss (:mod:`.placing`), the logarithm of the step that should be nothing.
        patches: in each view over which that step is summed.
        detach_keys: no gradient through the second view [A: CUT's loss]; off: the loss is symmetric (measured).
    """

    temperature: float = 0.07
    positions: int = 1536
    near: float = 0.45
    indifferent: float = 0.9
    reach: float = 12.0
    far: float = 0.25
    gce_exponent: float = 0.2
    placing: float = 0.5
    patches: int = 24
    detach_keys: bool = False


@dataclass(frozen=True, eq=False)
class Contrast:
    """The loss and how well the views found each other.

    Attributes:
        loss: scalar.
        hits: share of positions whose best match is their partner.
    """

    loss: torch.Tensor
    hits: float


def contrast(
    first: torch.Tensor, second: torch.Tensor, a: torch.Tensor, b: torch.Tensor, settings: LossSettings
) -> Contrast:
    """InfoNCE over positions that correspond.

    Args:
        first, second: (C, n, n, n) unit vectors of the two views.
        a, b: (3, N) voxel positions in each.
    """
    queries = F.normalize(sample(first, a), dim=0)
    keys = F.normalize(sample(second, b), dim=0)
    if settings.detach_keys:
        keys = keys.detach()
    logits = queries.T @ keys / settings.temperature
    with torch.no_grad():
        apart = torch.cdist(b.T, b.T)
        same = (apart < settings.indifferent) & ~torch.eye(apart.shape[0], dtype=torch.bool, device=apart.device)
    logits = logits.masked_fill(same, -torch.inf)
    loss = _both_ways(logits.masked_fill(apart > settings.reach, -torch.inf), settings)
    if settings.far:
        loss = loss + settings.far * _both_ways(logits, settings)
    target = torch.arange(logits.shape[0], device=logits.device)
    return Contrast(loss, float((logits.detach().argmax(1) == target).float().mean()))


def _both_ways(logits: torch.Tensor, settings: LossSettings) -> torch.Tensor:
    loss = _one_way(logits, settings.gce_exponent)
    return loss if settings.detach_keys else 0.5 * (loss + _one_way(logits.T, settings.gce_exponent))


def _one_way(logits: torch.Tensor, gce_exponent: float) -> torch.Tensor:
    target = torch.arange(logits.shape[0], device=logits.device)
    entropy = F.cross_entropy(logits, target, reduction="none")
    return (-torch.expm1(-gce_exponent * entropy) / gce_exponent if gce_exponent else entropy).mean()

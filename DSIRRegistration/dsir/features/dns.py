"""Deep Neighbourhood Self-similarity: how the neighbours of a voxel resemble one another.

For a six-neighbourhood of radius r the twelve pairs (i, j) of neighbours whose offsets lie sqrt(2) r apart give

    D_ij(x)   = patch mean around x of (F(x + o_i) - F(x + o_j))^2      the centre voxel is never used [P]
    sigma2(x) = mean of D_ij(x) over the twelve pairs                    [P]
    DNS_ij(x) = exp(-D_ij(x) / sigma2(x))                                form [R], as in MIND-SSC (Heinrich 2013)

Two pairs with the same relative offset read one difference map at two places, so twelve relations cost six maps; the
patch mean is separable. All is computed on a volume widened by :func:`margin`, hence a tile with that much context
equals the whole volume.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import torch
import torch.nn.functional as F

Offset = tuple[int, int, int]


@dataclass(frozen=True)
class DnsSettings:
    """The open points of the paper's self-similarity.

    Attributes:
        radii: neighbourhood radius in voxels of each layout; (1, 2) is the paper's direct and dilated pair, of which
            the second radius is [R].
        patch: radius in voxels of the box over which differences are averaged (1: 3 x 3 x 3).
        subtract_minimum: lower all D by the smallest of the twelve, so that one relation is always 1 [A: ConvexAdam].
        floor: added to sigma2, in squared units of the input; keeps flat regions from amplifying rounding errors.
    """

    radii: tuple[int, ...] = (1, 2)
    patch: int = 1
    subtract_minimum: bool = False
    floor: float = 1e-4

    @property
    def relations(self) -> int:
        """Relations for each channel: twelve for each layout."""
        return 12 * len(self.radii)

    @property
    def margin(self) -> int:
        """Voxels of context on each side that one voxel's relations depend on."""
        return max(self.radii) + self.patch


def pairs(radius: int) -> list[tuple[Offset, Offset]]:
    """The twelve pairs of neighbours sqrt(2) ``radius`` apart, in the order of the relations."""
    out = []
    for a, b in combinations(range(3), 2):
        for sign_a in (1, -1):
            for sign_b in (1, -1):
                out.append((_axis(a, sign_a * radius), _axis(b, sign_b * radius)))
    return out


def _axis(axis: int, length: int) -> Offset:
    i, j, k = (length if n == axis else 0 for n in range(3))
    return i, j, k


def dns(volume: torch.Tensor, settings: DnsSettings) -> torch.Tensor:
    """The fused form: six difference maps for each layout, a separable box, every map read at two shifts.

    Args:
        volume: (N, C, I, J, K).

    Returns:
        (N, C, relations, I, J, K), float32 in (0, 1].
    """
    padded = F.pad(volume, [settings.margin] * 6, mode="replicate")
    return dns_valid(padded, settings)


def dns_valid(padded: torch.Tensor, settings: DnsSettings, out: torch.Tensor | None = None) -> torch.Tensor:
    """:func:`dns` of the inner voxels of a volume that already carries ``settings.margin`` voxels of context.

    ``out``: where to, by default a new tensor.
    """
    size = tuple(n - 2 * settings.margin for n in padded.shape[2:])
    out = padded.new_empty(*padded.shape[:2], settings.relations, *size) if out is None else out
    for layout, radius in enumerate(settings.radii):
        part = out[:, :, 12 * layout : 12 * (layout + 1)]
        for relation, values in relations_valid(padded, radius, settings):
            part[:, :, relation] = values
        if padded.requires_grad:
            out = out.clone()
            out[:, :, 12 * layout : 12 * (layout + 1)] = _weights(part, settings)
        else:
            _weights_inplace(part, settings)
    return out


def relations_valid(padded: torch.Tensor, radius: int, settings: DnsSettings) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield (number of the relation, its D (N, C, I, J, K)) of one layout, two relations for each difference map."""
    reach, patch = settings.margin, settings.patch
    size = tuple(n - 2 * reach for n in padded.shape[2:])
    order = {pair: number for number, pair in enumerate(pairs(radius))}
    for a, b in combinations(range(3), 2):
        for sign in (1, -1):
            # M(y) = (F(y) - F(y + step))^2, step = sign e_b - e_a, serves the pair (+a, sign b) at y = x + r e_a
            # and, seen from its other end, the pair (-a, -sign b) at y = x - sign r e_b.
            reads = {
                order[_axis(a, radius), _axis(b, sign * radius)]: _axis(a, radius),
                order[_axis(a, -radius), _axis(b, -sign * radius)]: _axis(b, -sign * radius),
            }
            low = [min(offset[i] for offset in reads.values()) for i in range(3)]
            span = [max(offset[i] for offset in reads.values()) - low[i] for i in range(3)]
            start = [reach + low[i] - patch for i in range(3)]
            extent = [size[i] + span[i] + 2 * patch for i in range(3)]
            step = [-radius * (i == a) + sign * radius * (i == b) for i in range(3)]
            here = _window(padded, start, extent)
            there = _window(padded, [s + d for s, d in zip(start, step, strict=True)], extent)
            mean = box_mean((here - there).square_(), patch)
            for number, offset in reads.items():
                yield number, _window(mean, [offset[i] - low[i] for i in range(3)], size)


def box_mean(volume: torch.Tensor, radius: int) -> torch.Tensor:
    """Mean over a (2 radius + 1)^3 box of the voxels that have a whole box: (N, C, I, J, K) shrinks by radius."""
    if radius == 0:
        return volume
    width = 2 * radius + 1
    for axis in (2, 3, 4):
        n = volume.shape[axis] - 2 * radius
        total = volume.narrow(axis, 0, n) + volume.narrow(axis, 1, n)
        for shift in range(2, width):
            total += volume.narrow(axis, shift, n)
        volume = total
    return volume * (1.0 / width**3)


def _window(volume: torch.Tensor, start: list[int], size: tuple[int, ...] | list[int]) -> torch.Tensor:
    for axis in range(3):
        volume = volume.narrow(axis + 2, start[axis], size[axis])
    return volume


def _weights(differences: torch.Tensor, settings: DnsSettings) -> torch.Tensor:
    """D (N, C, 12, ...) of one layout to exp(-D / sigma2)."""
    if settings.subtract_minimum:
        differences = differences - differences.amin(2, keepdim=True)
    return torch.exp(-differences / (differences.mean(2, keepdim=True) + settings.floor))


def _weights_inplace(differences: torch.Tensor, settings: DnsSettings) -> None:
    if settings.subtract_minimum:
        differences -= differences.amin(2, keepdim=True)
    scale = differences.mean(2, keepdim=True).add_(settings.floor).reciprocal_().neg_()
    differences.mul_(scale).exp_()

"""Around every voxel: the best match, the end of the way back from it, and how much its rivals fall behind."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

REACH = 12.0
"""mm around the voxel within which the best match is looked for."""

AROUND = 20.0
"""mm, side of the cube over which similarity is averaged: what lies around a voxel moves about as it does. Measured, 4
mm to 20 mm: of the wrong voxels 81 % and 87 % are flagged, Brier score 0.160 and 0.135; with 28 mm no better."""

APART = 6.0
"""mm; what lies farther from the best match than this is a rival of it."""

LOOKED_AT = 4
"""Numbers that come of looking around; a curve with more asks for the expected error too."""


def matches_around(here: torch.Tensor, there: torch.Tensor, spacing: float) -> torch.Tensor:
    """(:data:`LOOKED_AT`, I, J, K): the first numbers of :class:`.confidence.Evidence`.

    The match's share of a softmax and its similarity say less: smooth images are similar to everything (measured).
    """
    reach = int(REACH // spacing)
    steps = [o for o in product(range(-reach, reach + 1), repeat=3) if np.linalg.norm(o) * spacing <= REACH]
    size = here.shape[1:]
    padded = F.pad(there, [reach] * 6)
    alike = torch.empty(len(steps), *size)
    for n, step in enumerate(steps):
        shifted = padded[(slice(None), *(slice(reach + s, reach + s + e) for s, e in zip(step, size, strict=True)))]
        alike[n] = (here * shifted).sum(0)
    _average(alike, (here != 0).any(0), spacing)
    offsets = torch.tensor(steps, dtype=torch.float32) * spacing
    best, which = alike.max(0)
    forth = offsets[which].movedim(-1, 0)
    rival = torch.full(size, -1.0)
    far = torch.cdist(offsets, offsets) > APART
    for n, one in enumerate(alike):
        rival = torch.where(far[n][which], torch.maximum(rival, one), rival)
    back = _back(alike, steps, offsets, reach)
    index = torch.stack(torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij"))
    landed = (index + (forth / spacing).round().long()).clamp(min=0)
    landed = torch.minimum(landed, torch.tensor(size).view(3, 1, 1, 1) - 1)
    disagreement = (forth - back[:, landed[0], landed[1], landed[2]]).norm(dim=0)
    away = forth + spacing * _between_voxels(alike, steps, which)
    return torch.stack([away.norm(dim=0), disagreement, best - rival, best - alike[steps.index((0, 0, 0))]])


def _between_voxels(alike: torch.Tensor, steps: list[tuple[int, ...]], which: torch.Tensor) -> torch.Tensor:
    """(3, I, J, K) voxels by which the top of the hill lies beside the best offset: a parabola along each axis."""
    number, best = {step: n for n, step in enumerate(steps)}, alike.gather(0, which[None])[0]
    beside = []
    for axis in range(3):
        at = [[number.get((*s[:axis], s[axis] + way, *s[axis + 1 :]), -1) for s in steps] for way in (-1, 1)]
        places = [torch.tensor(one)[which] for one in at]
        low, high = (alike.gather(0, place.clamp(min=0)[None])[0] for place in places)
        curved = low - 2 * best + high
        known = (places[0] >= 0) & (places[1] >= 0) & (curved < -1e-6)
        beside.append(torch.where(known, 0.5 * (low - high) / curved, 0.0).clamp(-0.5, 0.5))
    return torch.stack(beside)


def _average(alike: torch.Tensor, body: torch.Tensor, spacing: float) -> None:
    """Average each offset's similarities (N, I, J, K) over what lies around a voxel within the body, in place."""
    size = 2 * round(AROUND / spacing / 2 - 0.5) + 1
    inside = body.float()[None]
    share = F.avg_pool3d(inside, size, 1, size // 2).clamp(min=1e-3)
    for one in alike:
        one.copy_((F.avg_pool3d(one[None], size, 1, size // 2) / share * inside)[0])


def _back(alike: torch.Tensor, steps: list[tuple[int, ...]], offsets: torch.Tensor, reach: int) -> torch.Tensor:
    """(3, I, J, K) mm: of each moving voxel, the offset by which its best fixed voxel would reach it."""
    size = alike.shape[1:]
    best = torch.full(size, -2.0)
    which = torch.zeros(size, dtype=torch.long)
    for n, step in enumerate(steps):
        padded = F.pad(alike[n], [reach] * 6, value=-2.0)
        arriving = padded[tuple(slice(reach - s, reach - s + e) for s, e in zip(step, size, strict=True))]
        better = arriving > best
        best = torch.where(better, arriving, best)
        which[better] = n
    return offsets[which].movedim(-1, 0)

"""How well a descriptor finds a point again: the figure training is chosen by.

The partner is another modality of the same anatomy, displaced by 16 to 30 mm in its frame and warped, so that neither
position nor a common grid can help (the position trap of METHOD.md). Of points inside the body, each looks for its best
match within +-20 mm of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from dsir.features.descriptor import Descriptor
from dsir.geometry.lattice import as_shape
from dsir.geometry.sampling import index_grid, sample
from dsir.training.random_numbers import step_generator, uniform


@dataclass(frozen=True)
class RetrievalSettings:
    """Attributes: mm and counts.

    Attributes:
        points: looked for in each of the ``repeats`` displacements.
        shift: range of the displacement's length in mm.
        warp: mm, standard deviation of the warp's control points, 32 mm apart.
        search: mm, half side of the search cube.
        within: mm, a match this close to the truth is right.
        near: mm, half side of the small cube in which localisation is measured.
    """

    points: int = 300
    repeats: int = 2
    shift: tuple[float, float] = (16.0, 30.0)
    warp: float = 2.0
    search: float = 20.0
    within: float = 4.0
    near: float = 6.0
    seed: int = 0


@dataclass(frozen=True)
class Retrieval:
    """Figures over all points.

    Attributes:
        right: share whose best match lies within ``within`` of the truth.
        mean: mm, mean distance of the best match.
        median: mm, its median.
        near: mm, mean distance of the best match in the small cube: how sharply a place is known once it is near.
        peaks: mean number of local maxima elsewhere that are at least as similar as the best near the truth.
        points: how many points were looked for.
    """

    right: float
    mean: float
    median: float
    near: float
    peaks: float
    points: int


def retrieval(
    descriptor: Descriptor,
    fixed: torch.Tensor,
    moving: torch.Tensor,
    body: torch.Tensor,
    spacing: float,
    settings: RetrievalSettings | None = None,
) -> Retrieval:
    """Find points of ``fixed`` in a displaced, warped ``moving``.

    Args:
        fixed, moving: (I, J, K) raw intensities that lie on each other, on one isotropic lattice.
        body: (I, J, K) bool; where points are drawn.
        spacing: mm.
    """
    settings = settings or RetrievalSettings()
    queries = descriptor(fixed)
    rows = []
    for repeat in range(settings.repeats):
        generator = step_generator(settings.seed, repeat)
        displaced, warp, shift = displace(moving, spacing, settings, generator)
        keys = descriptor(displaced)
        points, truth = asked(body, warp, shift, settings, generator)
        rows.append(_look(queries, keys, points, truth, spacing, settings))
    errors, near, peaks = (torch.cat(columns) for columns in zip(*rows, strict=True))
    return Retrieval(
        right=float((errors <= settings.within).float().mean()),
        mean=float(errors.mean()),
        median=float(errors.median()),
        near=float(near.mean()),
        peaks=float(peaks.mean()),
        points=len(errors),
    )


def displace(
    volume: torch.Tensor, spacing: float, settings: RetrievalSettings, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The volume shifted and warped in its frame, what leaves it cut off; with the warp (3, I, J, K) and shift (3,).

    Voxel y of the result shows voxel ``y - shift - warp(y)`` of the volume.
    """
    extent = torch.tensor([n * spacing for n in volume.shape])
    # Mostly within a slab's plane: displaced across it by as much, a thin slab would leave its frame altogether.
    direction = F.normalize(torch.randn((3,), generator=generator) * (extent / 100).clamp(max=1).square(), dim=0)
    shift = direction * uniform(*settings.shift, generator) / spacing
    grid = [max(3, int(n * spacing / 32) + 2) for n in volume.shape]
    control = torch.randn((1, 3, *grid), generator=generator) * settings.warp / spacing
    warp = F.interpolate(control, size=tuple(volume.shape), mode="trilinear", align_corners=True)[0]
    at = index_grid(as_shape(volume.shape)) - shift.view(3, 1, 1, 1) - warp
    low = volume.min()
    return sample(volume[None] - low, at)[0] + low, warp, shift


def asked(
    body: torch.Tensor,
    warp: torch.Tensor,
    shift: torch.Tensor,
    settings: RetrievalSettings,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Voxels (3, N) of the body and where (3, N) they lie in what :func:`displace` made; N at most ``points``."""
    inside = body.nonzero()
    points = inside[torch.randperm(len(inside), generator=generator)[: 3 * settings.points]].T.float()
    there = points + shift[:, None]
    for _ in range(20):
        there = points + shift[:, None] + sample(warp, there, padding="border")
    size = torch.tensor(warp.shape[1:])[:, None]
    seen = ((there >= 1) & (there <= size - 2)).all(0)  # the rest has left the partner's field of view
    return points[:, seen][:, : settings.points], there[:, seen][:, : settings.points]


def _look(
    queries: torch.Tensor,
    keys: torch.Tensor,
    points: torch.Tensor,
    truth: torch.Tensor,
    spacing: float,
    settings: RetrievalSettings,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    size = torch.tensor(keys.shape[1:])[:, None]
    reach = round(settings.search / spacing)
    errors, near, peaks = [], [], []
    for point, there in zip(points.T.long().tolist(), truth.T.numpy(), strict=True):
        centre = np.rint(there).astype(int)
        low = np.maximum(centre - reach, 0)
        high = np.minimum(centre + reach + 1, size[:, 0].numpy())
        cube = keys[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        query = queries[:, point[0], point[1], point[2]]
        alike = torch.einsum("c,cijk->ijk", query, cube)
        distance = spacing * _distance(as_shape(cube.shape[1:]), torch.from_numpy(there - low).float())
        errors.append(distance.flatten()[alike.argmax()])
        close = alike.masked_fill(distance > settings.near, -2)
        near.append(distance.flatten()[close.argmax()])
        best = alike[distance <= settings.within].max()
        top = F.max_pool3d(alike[None], 3, 1, 1)[0]
        peaks.append(((alike == top) & (alike >= best) & (distance > settings.within)).sum().float())
    return torch.stack(errors), torch.stack(near), torch.stack(peaks)


def _distance(shape: tuple[int, int, int], centre: torch.Tensor) -> torch.Tensor:
    return (index_grid(shape) - centre.view(3, 1, 1, 1)).square().sum(0).sqrt()

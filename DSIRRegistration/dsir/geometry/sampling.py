"""Reading a volume between its voxels; the one place that knows torch's grid convention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from .channels_last import can_gather, gathered
from .lattice import Lattice, as_shape

SLAB = 2_000_000
"""Voxels averaged or resampled at a time."""

BLURRED = 200_000
"""Voxels blurred at a time, so that what is between stays in the processor's cache."""


def sample(
    volume: torch.Tensor, index: torch.Tensor, *, mode: str = "bilinear", padding: str = "zeros"
) -> torch.Tensor:
    """Interpolate at continuous voxel indices.

    Args:
        volume: (C, I, J, K).
        index: (3, ...) voxel indices along I, J, K; a voxel's centre is a whole number.
        mode: ``"bilinear"`` (trilinear in 3-D) or ``"nearest"``.
        padding: ``"zeros"`` or ``"border"`` outside the volume.

    Returns:
        (C, ...) in the volume's dtype.
    """
    if mode == "bilinear" and can_gather(volume, index):
        return gathered(volume, index, padding=padding)
    shape = torch.as_tensor(volume.shape[1:], dtype=index.dtype, device=index.device)
    scale = 2.0 / (shape - 1).clamp(min=1)
    unit = index * scale.view(3, *[1] * (index.ndim - 1)) - 1
    # A dimension of one voxel has no extent to normalise by: its only slice is at -1 for grid_sample's align_corners.
    grid = unit.flip(0).movedim(0, -1).reshape(1, *_as_three(index.shape[1:]), 3)
    out = F.grid_sample(volume[None], grid.to(volume.dtype), mode=mode, padding_mode=padding, align_corners=True)
    return out.reshape(volume.shape[0], *index.shape[1:])


def _as_three(shape: torch.Size) -> tuple[int, int, int]:
    if len(shape) == 3:
        return as_shape(shape)
    count = 1
    for n in shape:
        count *= n
    return (1, 1, count)


def index_grid(shape: tuple[int, int, int], *, device: torch.device | str = "cpu") -> torch.Tensor:
    """(3, I, J, K) float32; every voxel's own index."""
    axes = [torch.arange(n, dtype=torch.float32, device=device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def index_map(source: Lattice, target: Lattice, world: np.ndarray | None = None) -> np.ndarray:
    """(4, 4) from ``source`` voxel indices to ``target`` voxel indices, through an optional RAS-to-RAS affine."""
    through = source.affine if world is None else np.asarray(world) @ source.affine
    return np.linalg.inv(target.affine) @ through


def affine_grid(
    source: Lattice,
    target: Lattice,
    world: np.ndarray | None = None,
    *,
    slab: slice | None = None,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """(3, I, J, K) indices in ``target`` of the voxels of ``source`` (only the rows ``slab`` of its first axis)."""
    matrix = torch.as_tensor(index_map(source, target, world), dtype=torch.float64)
    rows = range(*(slab or slice(None)).indices(source.shape[0]))
    axes = [torch.arange(rows.start, rows.stop), torch.arange(source.shape[1]), torch.arange(source.shape[2])]
    out = torch.empty(3, *(len(a) for a in axes), dtype=torch.float32)
    for row in range(3):
        terms = [matrix[row, axis] * a.double() for axis, a in enumerate(axes)]
        out[row] = (
            terms[0].view(-1, 1, 1) + terms[1].view(1, -1, 1) + terms[2].view(1, 1, -1) + matrix[row, 3]
        ).float()
    return out.to(device)


def resample(
    volume: torch.Tensor,
    source: Lattice,
    target: Lattice,
    world: np.ndarray | None = None,
    *,
    mode: str = "bilinear",
    padding: str = "border",
    antialias: bool = True,
) -> torch.Tensor:
    """Carry a volume onto another lattice.

    Args:
        volume: (C, I, J, K) or (I, J, K) on ``source``.
        target: the lattice to fill.
        world: optional (4, 4) RAS-to-RAS affine from ``target`` space to ``source`` space (a pull).
        antialias: blur before going coarser, so that fine texture does not fold into false structure
            (standard deviation 0.4 voxels of the target beyond the source's own, our own choice).

    Returns:
        the volume on ``target``, same leading dimensions, float32.
    """
    single = volume.ndim == 3
    volume = (volume[None] if single else volume).float()
    if antialias and mode != "nearest":
        volume = _blur_for(volume, source, target)
    out = torch.empty(volume.shape[0], *target.shape, device=volume.device)
    rows = max(1, SLAB // (target.shape[1] * target.shape[2]))
    for start in range(0, target.shape[0], rows):  # slabs: the index grid of a whole CT would be three CTs large
        slab = slice(start, min(start + rows, target.shape[0]))
        out[:, slab] = sample(
            volume, affine_grid(target, source, world, slab=slab, device=volume.device), mode=mode, padding=padding
        )
    return out[0] if single else out


def _blur_for(volume: torch.Tensor, source: Lattice, target: Lattice) -> torch.Tensor:
    axes = np.abs(source.directions.T @ target.directions)
    wanted = axes @ target.spacing / axes.sum(1)  # the target's spacing as seen along each source axis
    return gaussian_blur(volume, antialiasing(source.spacing, wanted))


def antialiasing(spacing: np.ndarray, wanted: np.ndarray) -> list[float]:
    """Standard deviations in voxels along each axis of the blur from ``spacing`` to ``wanted`` mm."""
    return [0.4 * np.sqrt(max((w / s) ** 2 - 1, 0.0)) for w, s in zip(wanted, spacing, strict=True)]


def thinned(
    volume: torch.Tensor, lattice: Lattice, spacing: float | np.ndarray
) -> tuple[torch.Tensor, Lattice, list[float]]:
    """A volume ready to be read at ``spacing`` mm, much smaller where its own voxels are much finer.

    Blocks of as many voxels as fit twice into the spacing are averaged; to blur a fine CT at full size takes longer
    than all that is done with it.

    Args:
        volume: (C, I, J, K).

    Returns:
        the averaged volume, its lattice, and the standard deviations in its voxels that the rest of the blur of
        :func:`antialiasing` needs.
    """
    wanted = np.broadcast_to(np.asarray(spacing, dtype=float), (3,))
    blocks = [max(1, int(w / (2 * s) + 1e-6)) for w, s in zip(wanted, lattice.spacing, strict=True)]
    blocks = [min(block, size) for block, size in zip(blocks, lattice.shape, strict=True)]
    # A box of b voxels has the variance (b^2 - 1) / 12.
    rest = [
        max(sigma**2 - (block**2 - 1) / 12, 0.0) ** 0.5 / block
        for sigma, block in zip(antialiasing(lattice.spacing, wanted), blocks, strict=True)
    ]
    if max(blocks) == 1:
        return volume, lattice, rest
    shape = as_shape(-(-size // block) for size, block in zip(lattice.shape, blocks, strict=True))
    out = torch.empty(volume.shape[0], *shape, device=volume.device)
    planes = max(1, SLAB // (blocks[0] * lattice.shape[1] * lattice.shape[2]))
    for start in range(0, shape[0], planes):
        part = volume[:, start * blocks[0] : (start + planes) * blocks[0]].float()
        pads = [(-size) % block for size, block in zip(part.shape[1:], blocks, strict=True)]
        part = F.pad(part[None], (0, pads[2], 0, pads[1], 0, pads[0]), mode="replicate")[0]
        out[:, start : start + planes] = F.avg_pool3d(part, blocks)
    return out, lattice.in_blocks(blocks, shape), rest


def gaussian_blur(volume: torch.Tensor, sigmas: float | Sequence[float]) -> torch.Tensor:
    """Separable Gaussian of ``sigmas`` voxels along I, J, K on (C, I, J, K); edges repeat their last voxel.

    Lines along an axis know nothing of one another, so a large volume is blurred slab by slab.
    """
    sigmas = list(sigmas) if isinstance(sigmas, Sequence) else [float(sigmas)] * 3
    lines = [axis for axis in range(3) if sigmas[axis] >= 0.2 and volume.shape[axis + 1] > 1]
    if not lines or volume.requires_grad:
        for axis in lines:
            volume = _blurred(volume, axis, sigmas[axis])
        return volume
    volume = volume.clone()
    for axis in lines:
        across = 1 if axis else 2
        size = volume.shape[across]
        planes = max(1, BLURRED * size // volume.numel())
        for start in range(0, size, planes):
            part = volume.narrow(across, start, min(planes, size - start))
            part.copy_(_blurred(part, axis, sigmas[axis]))
    return volume


def _blurred(volume: torch.Tensor, axis: int, sigma: float) -> torch.Tensor:
    """One axis of :func:`gaussian_blur`; shifted copies are added, several times faster than a convolution."""
    axis += 1
    size = volume.shape[axis]
    radius = min(max(int(np.ceil(3 * sigma)), 1), size - 1)
    kernel = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    kernel /= 2 * kernel.sum() - 1
    edges = [volume.narrow(axis, end, 1) for end in (0, size - 1)]
    padded = torch.cat([*[edges[0]] * radius, volume, *[edges[1]] * radius], axis)
    total = padded.narrow(axis, radius, size) * float(kernel[0])
    for step in range(1, radius + 1):
        for begin in (radius - step, radius + step):
            total.add_(padded.narrow(axis, begin, size), alpha=float(kernel[step]))
    return total

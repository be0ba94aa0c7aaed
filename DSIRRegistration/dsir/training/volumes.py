"""What is learned from: single scans, label maps, and shapes made up on the spot, all on one isotropic lattice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F

from ..errors import DsirError
from ..features.normalise import normalise
from ..geometry.image import Image
from ..geometry.lattice import Lattice


@dataclass(frozen=True, eq=False)
class Source:
    """One anatomy to cut views from.

    Attributes:
        name: file name without its suffix, or what it was made from.
        kind: ``"scan"``: intensities, to be remapped; ``"labels"``: a map whose every label gets a random look.
        data: (I, J, K) int16.
        body: (I, J, K) bool; where positions may be sampled.
        spacing: mm, isotropic.
        group: scans of one origin share a group; groups are drawn equally often.
    """

    name: str
    kind: str
    data: torch.Tensor
    body: torch.Tensor
    spacing: float
    group: str


def load_sources(
    data: Path, labelmaps: Path | None, spacing: float, progress: Callable[[str], None] = lambda name: None
) -> list[Source]:
    """Every NIfTI in ``data`` as a scan and in ``labelmaps`` as a label map, in RAS+ on an isotropic lattice.

    Its voxels measure ``spacing`` mm or, where all of the file's own sizes are larger, the smallest of those.

    Raises:
        DsirError: the folder holds no NIfTI, or one cannot be read.
    """
    scans = files_in(data)
    if not scans:
        raise DsirError(f"There is no .nii or .nii.gz file in {data} to train on.")
    sources = []
    for path in scans:
        progress(path.name)
        image = read_scan(path)
        own = max(spacing, float(image.lattice.spacing.min()))  # a coarse scan gains nothing from finer voxels
        volume = on_isotropic(image, own, "bilinear")
        sources.append(_source(path, "scan", volume.round(), body_of(volume), own))
    for path in files_in(labelmaps) if labelmaps else []:
        progress(path.name)
        labels = on_isotropic(read_scan(path), spacing, "nearest")
        sources.append(_source(path, "labels", labels, labels > 0, spacing))
    return sources


def files_in(folder: Path) -> list[Path]:
    """The NIfTI files of a folder, by name."""
    return sorted(p for p in Path(folder).iterdir() if p.name.endswith((".nii", ".nii.gz")))


def _source(path: Path, kind: str, data: torch.Tensor, body: torch.Tensor, spacing: float) -> Source:
    name = path.name.split(".nii")[0]
    limited = data.clamp(-32768, 32767).to(torch.int16)
    return Source(name, kind, limited, body, spacing, f"{kind} {name.split('_')[0]}")


def read_scan(path: Path) -> Image:
    """A volume in RAS+ order.

    Raises:
        DsirError: unreadable, or not a single volume.
    """
    try:
        file = nib.as_closest_canonical(nib.load(path))
        data = np.asarray(file.dataobj, dtype=np.float32)
    except Exception as error:
        raise DsirError(f"{path.name} cannot be read as a NIfTI volume: {error}") from error
    if data.ndim != 3:
        raise DsirError(f"{path.name} is not a single volume: its shape is {data.shape}.")
    return Image(torch.from_numpy(np.nan_to_num(data)), Lattice(data.shape, file.affine))


def on_isotropic(image: Image, spacing: float, mode: str = "bilinear") -> torch.Tensor:
    """(I, J, K) on isotropic voxels."""
    return image.on(image.lattice.with_spacing(spacing), mode=mode).data


def body_of(volume: torch.Tensor) -> torch.Tensor:
    """Where tissue is: brighter than 8 % of the robust range, closed and smoothed over about a centimetre."""
    bright = (normalise(volume) > 0.08).float()[None, None]
    return F.avg_pool3d(F.avg_pool3d(bright, 5, 1, 2), 5, 1, 2)[0, 0] > 0.3


def clusters(scan: Source, generator: torch.Generator, *, levels: int = 7, cells: int = 6) -> Source:
    """A label map drawn from a scan's own intensities: quantile levels, each split among random spatial cells.

    Real anatomy's borders with free choice of what looks alike. Labels are ``1 + level * cells + cell``; 0 outside the
    body.
    """
    volume = scan.data.float()[None, None]
    smooth = F.avg_pool3d(F.pad(volume, [1] * 6, mode="replicate"), 3, 1)[0, 0]
    inside = smooth[scan.body]
    inside = inside[:: max(1, inside.numel() // 100_000)]
    cuts = torch.linspace(0, 1, levels + 1)[1:-1] + 0.06 * (torch.rand(levels - 1, generator=generator) - 0.5)
    edges = torch.quantile(inside, cuts.clamp(0.01, 0.99)).sort().values
    level = torch.bucketize(smooth, edges)
    cell = noise_labels(scan.data.shape, cells, max(2, int(60 / scan.spacing)), generator)
    labels = torch.where(scan.body, 1 + level * cells + cell, torch.zeros_like(level))
    return Source(
        f"clusters of {scan.name}",
        "labels",
        labels.to(torch.int16),
        scan.body,
        scan.spacing,
        scan.group.replace("scan", "clusters"),
    )


def shapes(size: int, spacing: float, generator: torch.Generator) -> Source:
    """A label map of nothing in particular: blobs within blobs (as SynthMorph and anatomix do)."""
    scale = 10 ** (0.9 + 0.6 * float(torch.rand(1, generator=generator)))  # 8 to 32 mm
    coarse = noise_labels((size,) * 3, 12, max(2, int(3 * scale / spacing)), generator)
    fine = noise_labels((size,) * 3, 5, max(2, int(scale / spacing)), generator)
    labels = (1 + coarse * 5 + fine).to(torch.int16)
    return Source("shapes", "labels", labels, torch.ones_like(labels, dtype=torch.bool), spacing, "shapes")


def noise_labels(shape: tuple[int, ...], count: int, period: int, generator: torch.Generator) -> torch.Tensor:
    """(I, J, K) int64 in 0..count-1: the index of the highest of ``count`` smooth random fields of this period."""
    grid = [max(2, n // period + 2) for n in shape]
    best = torch.full(shape, -torch.inf)
    labels = torch.zeros(shape, dtype=torch.int64)
    for label in range(count):
        coarse = torch.randn(1, 1, *grid, generator=generator)
        field = F.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0]
        higher = field > best
        best = torch.where(higher, field, best)
        labels[higher] = label
    return labels

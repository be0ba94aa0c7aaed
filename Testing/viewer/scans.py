"""Two scans on disk with a known answer: one anatomy, two contrasts, one grid."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from dsir.files.images import write_image
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice

SHAPE = (50, 56, 46)
GRID = Lattice(SHAPE, np.array([[2.0, 0, 0, -49], [0, 2, 0, -55], [0, 0, 2, -45], [0, 0, 0, 1]]))


def write_pair(folder: Path) -> tuple[Path, Path]:
    """``ct.nii.gz`` and its negative ``mr.nii.gz``: every voxel's match is the voxel itself."""
    paths = folder / "ct.nii.gz", folder / "mr.nii.gz"
    for path, content in zip(paths, _pair(), strict=True):
        path.write_bytes(content)
    return paths


@cache
def _pair() -> tuple[bytes, bytes]:
    """The two files; made once, for each test wants them."""
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    world = GRID.to_world(index)
    rng = np.random.default_rng(7)
    waves = rng.standard_normal((80, 3))
    waves *= (2 * np.pi / rng.uniform(7, 20, 80) / np.linalg.norm(waves, axis=1))[:, None]
    texture = np.cos(world @ waves.T + rng.uniform(0, 6, 80)).sum(-1)
    body = np.linalg.norm(world / [1, 1.15, 0.95], axis=-1) < 42
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nii.gz"

        def file(sign: int) -> bytes:
            values = np.where(body, 300 + sign * 5 * texture, 0).astype(np.float32)
            write_image(path, Image(torch.from_numpy(values), GRID))
            return path.read_bytes()

        return file(1), file(-1)

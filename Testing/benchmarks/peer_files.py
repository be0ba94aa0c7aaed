"""What every peer's process shares: its arguments, and the one form in which fields come back.

Runs in the peers' own environment, so it knows numpy and nibabel only. A field comes back as a ``.npy`` of
(I, J, K, 3) float32: u(x) in RAS mm at the voxels of the fixed image, the fixed point x lying at x + u(x) in the moving
image.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np


@dataclass(frozen=True)
class Task:
    """One registration.

    Attributes:
        fixed, moving: NIfTI files.
        out: the ``.npy`` to write.
        setting: the method's own name for how it shall run.
        threads: CPU threads.
        features: what ``dsir features`` wrote of the fixed and of the moving image, for recipes that read it.
    """

    fixed: Path
    moving: Path
    out: Path
    setting: str
    threads: int
    features: list[Path] | None = None

    @property
    def folder(self) -> Path:
        """A place for files in between."""
        return self.out.parent

    def finish(self, displacement: np.ndarray) -> None:
        """Write u (I, J, K, 3), RAS mm, after checking that it lies on the fixed grid."""
        shape = nibabel.load(self.fixed).shape
        if displacement.shape != (*shape, 3):
            raise SystemExit(f"The field has the shape {displacement.shape}, the fixed image {shape}.")
        np.save(self.out, displacement.astype(np.float32))


def read_task() -> Task:
    """The command line every peer understands: FIXED MOVING OUT [--setting S] [--threads N] [--features F M]."""
    parser = argparse.ArgumentParser()
    for name in ("fixed", "moving", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--setting", default="default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--features", type=Path, nargs=2, metavar=("FIXED", "MOVING"))
    return Task(**vars(parser.parse_args()))


def voxel_positions(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(I, J, K, 3) RAS mm of the voxel centres."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape[:3]), indexing="ij"), -1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def from_lps(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) of ITK's physical space (left, posterior, superior) as RAS."""
    return vectors * np.array([-1, -1, 1])


def read_itk_field(path: Path, fixed: Path) -> np.ndarray:
    """A displacement NIfTI written by ITK, (I, J, K, 1, 3) LPS mm, as (I, J, K, 3) RAS mm on the fixed grid."""
    file, reference = nibabel.load(path), nibabel.load(fixed)
    if file.shape[:3] != reference.shape[:3] or not np.allclose(file.affine, reference.affine, atol=1e-2):
        raise SystemExit(f"{path} does not lie on the fixed grid.")
    return from_lps(np.asarray(file.dataobj).reshape(*reference.shape[:3], 3))

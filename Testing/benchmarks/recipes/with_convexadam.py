"""ConvexAdam on DSIR, in the place of MIND-SSC or beside it.

    dsir features --input FIXED MOVING -o f.nii.gz m.nii.gz --descriptor dsir --masked
    python with_convexadam.py FIXED MOVING field.npy --setting dsir --features f.nii.gz m.nii.gz
    python with_convexadam.py FIXED MOVING field.npy --setting mind+dsir --features f.nii.gz m.nii.gz
    python with_convexadam.py FIXED MOVING field.npy --setting mind

The package takes the mean over channels times 12, MIND's own number. Vectors are scaled so that the cost is the sum of
squares again, whatever the number of channels. Everything else is the package's default.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "DSIRRegistration"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from convexAdam import convex_adam_MIND as package
from dsir.files.images import read_image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import resample
from dsir.transforms.field import DisplacementField
from peer_convexadam import one_grid
from peer_files import Task, read_task


def main() -> None:
    """Register on one isotropic grid and bring the field back."""
    task = read_task()
    torch.set_num_threads(task.threads)
    fixed, moving = read_image(task.fixed), read_image(task.moving)
    lattice = one_grid(fixed.lattice)
    pair = [image.on(lattice).data for image in (fixed, moving)]
    if task.setting != "mind":
        package.extract_features = described(task, lattice, package.extract_features)
    displacement = package.convex_adam_pt(*pair, dtype=torch.float32, device=torch.device("cpu"))
    vectors = torch.as_tensor(np.moveaxis(displacement, -1, 0), dtype=torch.float32)
    field = DisplacementField.from_index(vectors, lattice).on(fixed.lattice)
    task.finish(field.vectors.permute(1, 2, 3, 0).numpy())


def described(task: Task, lattice: Lattice, mind):
    """What the package shall call for its features."""
    dsir = [on_grid(path, lattice) for path in task.features]

    def features(**given):
        beside = mind(**given) if task.setting == "mind+dsir" else (dsir[0][:, :0], dsir[1][:, :0])
        joined = [torch.cat(side, 1) for side in zip(dsir, beside, strict=True)]
        return tuple(side * (side.shape[1] / 12) ** 0.5 for side in joined)

    return features


def on_grid(path: Path, lattice: Lattice) -> torch.Tensor:
    """(1, C, I, J, K) the vectors of a 4-D NIfTI read at the voxels of ``lattice``, zero beyond its own grid."""
    file = nibabel.load(path)
    values = torch.as_tensor(np.asarray(file.dataobj, dtype=np.float32)).movedim(-1, 0)
    return resample(values, Lattice(values.shape[1:], file.affine), lattice, padding="zeros")[None]


if __name__ == "__main__":
    main()

"""ConvexAdam with MIND-SSC (Siebert, Hansen, Heinrich), by its package.

It works in voxels, ignores headers and needs one grid: the moving image is resampled onto the fixed one's, made
isotropic first where it is not, and the displacement along the axes goes through the grid's affine. Padding or cropping
to multiples of its grid step was tried and changes the error by less than 0.2 mm either way.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from peer_files import read_task

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DSIRRegistration"))

from convexAdam.convex_adam_MIND import convex_adam_pt
from dsir.files.images import read_image
from dsir.geometry.lattice import Lattice
from dsir.transforms.field import DisplacementField

SETTINGS = {
    "default": {},
    # l2r_2021_convexAdam_task1 in the authors' repository: abdomen MR-CT of Learn2Reg 2021
    "l2r-mrct": {"grid_sp": 4, "disp_hw": 8, "grid_sp_adam": 3, "lambda_weight": 0.6, "selected_niter": 40},
}


def main() -> None:
    """Register on one isotropic grid and bring the field back."""
    task = read_task()
    torch.set_num_threads(task.threads)
    setting = SETTINGS[task.setting]
    fixed, moving = read_image(task.fixed), read_image(task.moving)
    lattice = one_grid(fixed.lattice)
    pair = [image.on(lattice).data for image in (fixed, moving)]
    displacement = convex_adam_pt(*pair, **setting, dtype=torch.float32, device=torch.device("cpu"))
    vectors = torch.as_tensor(np.moveaxis(displacement, -1, 0), dtype=torch.float32)
    field = DisplacementField.from_index(vectors, lattice).on(fixed.lattice)
    task.finish(field.vectors.permute(1, 2, 3, 0).numpy())


def one_grid(lattice: Lattice) -> Lattice:
    """The lattice itself where its voxels are near cubes, else the same box in cubes of the same volume."""
    if lattice.spacing.max() < 1.1 * lattice.spacing.min():
        return lattice
    return lattice.with_spacing(float(np.prod(lattice.spacing)) ** (1 / 3))


if __name__ == "__main__":
    main()

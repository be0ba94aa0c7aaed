"""A CT and an MR of one head that no scanner made: the stand-in for Slicer's sample in the tutorial's pictures.

The brain is the ICBM 152 average that the nilearn package carries; skull and skin are shells around it. The CT has
Hounsfield units by tissue, the MR the template's own T1 brightness, turned and shifted, on voxels of its own.
"""

from __future__ import annotations

import numpy as np
import torch
from dsir.evaluation.demo import icbm
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from dsir.warp.images import warp_image
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter
from scipy.spatial.transform import Rotation

TURN, SHIFT = (6.0, -4.0, 14.0), (18.0, -12.0, 9.0)
"""Degrees about x, y, z and mm: how the MR lies."""

AIR, FLUID, GREY, WHITE, BONE, SKIN = -1000.0, 8.0, 38.0, 29.0, 900.0, 25.0
"""HU."""

RIM = 33
"""mm of air added around the brain."""


def head_pair(spacing: int = 3) -> tuple[Image, Image, Linear]:
    """CT, MR, and the truth, fixed to moving, on voxels of ``spacing`` mm: skull and skin are 6 mm thick each."""
    t1, grey, white, mask = (_padded(image, RIM // spacing) for image in icbm(spacing))
    brain = torch.from_numpy(binary_fill_holes(mask.data.numpy() > 0.5))
    outside = torch.from_numpy(distance_transform_edt(~brain.numpy(), t1.lattice.spacing))
    skull, skin = (outside > 2) & (outside <= 8), (outside > 8) & (outside <= 14)
    ct = torch.where(brain, GREY * grey.data + WHITE * white.data + FLUID * (1 - grey.data - white.data), AIR)
    ct = torch.where((outside > 0) & (outside <= 2), FLUID, ct)
    ct = torch.where(skull, BONE, torch.where(skin, SKIN, ct))
    mr = t1.data / t1.data[brain].max() * 900 * brain
    mr = torch.where(skull, 60.0, torch.where(skin, 700.0, mr))
    truth = Linear(_about(t1.lattice.centre))
    lattice = Lattice(tuple(n - 4 for n in t1.lattice.shape), t1.lattice.affine @ _moved(4.0))
    there = Transform((Linear(np.linalg.inv(truth.matrix)),))
    moving = warp_image(Image(_seen(mr, 5.0, 1) * (outside <= 16), t1.lattice), there, lattice)
    return Image(_seen(ct, 6.0, 0), t1.lattice), moving, truth


def _about(centre: np.ndarray) -> np.ndarray:
    """(4, 4) turn about a point, then shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", TURN, degrees=True).as_matrix()
    matrix[:3, 3] = centre + SHIFT - matrix[:3, :3] @ centre
    return matrix


def _moved(voxels: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = voxels
    return matrix


def _padded(image: Image, rim: int) -> Image:
    values = torch.nn.functional.pad(image.data, (rim,) * 6)
    return Image(values, image.lattice.window((-rim,) * 3, tuple(values.shape)))


def _seen(values: torch.Tensor, noise: float, seed: int) -> torch.Tensor:
    """A little blur, a little noise."""
    blurred = gaussian_filter(values.numpy().astype(np.float32), 0.6)
    return torch.from_numpy(blurred + np.random.default_rng(seed).normal(0, noise, blurred.shape).astype(np.float32))

"""The body is found in CT, in noisy MR, in stripped scans."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.geometry.body_mask import body_mask, filled_holes
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from phantoms import RADII, inside, lattice_of, tissue
from scipy import ndimage

GRID = lattice_of((44, 50, 40), (3.0, 3.0, 3.0))
INDEX = np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), -1)
POINTS = GRID.to_world(INDEX)
TRUE = inside(POINTS) > 0.5


def dice(mask: torch.Tensor, truth: np.ndarray = TRUE) -> float:
    found = mask.numpy()
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


def ct() -> np.ndarray:
    """Soft tissue, bone, lungs open to the upper border, air; a thin table behind."""
    soft = -1024 + inside(POINTS) * (1064 + 60 * (tissue(POINTS) - 0.5))
    lungs = np.square((POINTS - [0, 10, 25]) / [30, 25, 40]).sum(-1) < 1
    soft[lungs & TRUE] = -850
    soft[np.square((POINTS - [0, -40, 0]) / [8, 8, 60]).sum(-1) < 1] = 900
    soft[:, 0:1, :] = -300  # the table
    return soft + np.random.default_rng(0).normal(0, 15, soft.shape)


def found(values: np.ndarray, lattice: Lattice = GRID) -> torch.Tensor:
    return body_mask(Image(torch.from_numpy(values.astype(np.float32)), lattice))


def test_ct_gives_the_body_with_its_lungs_and_without_the_table() -> None:
    mask = found(ct())
    assert dice(mask) > 0.93
    assert bool(mask[22, 27, 24])  # lung
    assert not mask[:, 0].any()


@pytest.mark.parametrize("noise", [0.0, 20.0, 60.0])
def test_mr_with_noise_gives_the_body(noise: float) -> None:
    draw = np.random.default_rng(1)
    signal = inside(POINTS) * (250 + 600 * tissue(POINTS))
    rician = np.hypot(signal + draw.normal(0, noise, signal.shape), draw.normal(0, noise, signal.shape))
    assert dice(found(rician)) > 0.93


def test_a_stripped_scan_gives_what_was_left_of_it() -> None:
    kept = np.square(POINTS / (0.7 * RADII)).sum(-1) < 1
    assert dice(found(kept * (200 + 700 * tissue(POINTS))), kept) > 0.93


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_volume_is_all_body(value: float) -> None:
    assert bool(found(np.full(GRID.shape, value)).all())


def test_the_mask_lies_where_the_image_lies() -> None:
    turned = Lattice(GRID.shape, np.array([[0, -3, 0, 5], [-3, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1.0]]))
    values = ct()
    assert torch.equal(found(values), found(values, turned))


def test_holes_are_filled_as_scipy_fills_them() -> None:
    draw = np.random.default_rng(3)
    noisy = ndimage.binary_dilation(draw.random((14, 12, 16)) > 0.8)
    expected = ndimage.binary_fill_holes(noisy)
    for axis in range(3):
        expected = np.moveaxis(
            np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(expected, axis, 0)]), 0, axis
        )
    filled = filled_holes(noisy)
    assert filled.sum() > noisy.sum() and np.array_equal(filled, expected)

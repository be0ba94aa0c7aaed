"""The body is found in CT, in noisy MR, in stripped scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dsir.geometry.body_mask import body_mask, filled_holes, find_body
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.linear import LinearSettings
from dsir.registration.preparation import uneven_masks
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
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


def test_a_stripped_scan_that_dips_below_zero_is_no_ct_cut_inside_the_body() -> None:
    """Interpolation rings at the edge of what was stripped; so bright an MR was taken for Hounsfield units."""
    signal = inside(POINTS) * (1000 + 600 * tissue(POINTS))
    assert dice(found(signal + np.random.default_rng(1).normal(0, 20, signal.shape))) > 0.93


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


def as_image(values: np.ndarray) -> Image:
    return Image(torch.from_numpy(values.astype(np.float32)), GRID)


def pelvis() -> np.ndarray:
    """T2 with fat four times as bright as muscle and organs, and the coil's own drift."""
    depth = 1 - np.sqrt(np.square(POINTS / RADII).sum(-1))
    fat = inside(POINTS) * (depth < 0.22)
    rest = inside(POINTS) * (depth >= 0.22) * (0.06 + 0.16 * tissue(POINTS))
    drift = 1.2 - 0.4 * np.sqrt(np.square(POINTS / RADII).sum(-1)).clip(0, 1)
    noise = np.abs(np.random.default_rng(4).normal(0, 4, GRID.shape))
    return 900 * drift * (fat + rest) + noise


def test_fat_alone_is_no_body() -> None:
    body = find_body(as_image(pelvis()))
    organs = TRUE & (np.sqrt(np.square(POINTS / RADII).sum(-1)) < 0.6)
    assert body.mask.numpy()[organs].all()


def one_bright_organ() -> Image:
    """As diffusion shows it: all but one thing near the noise."""
    values = inside(POINTS) * (40 + 160 * tissue(POINTS))
    bright = np.square((POINTS - [5, 0, 0]) / [28, 28, 24]).sum(-1) < 1
    return as_image(np.where(bright & TRUE, 1200.0, values))


def test_a_scan_of_which_a_threshold_keeps_one_bright_thing_is_taken_whole() -> None:
    body = find_body(one_bright_organ())
    assert bool(body.mask.all()) and "structures lie outside" in body.doubt


def dim_side() -> Image:
    """A coil that shines on one side: the other is far darker, and structured all the same; cut to the body."""
    bright = 1 / (1 + np.exp(-(POINTS[..., 0] + 8) / 3))
    signal = 60 + 100 * tissue(POINTS) * (1 - bright) + (50 + 15 * tissue(POINTS)) * bright
    values = inside(POINTS) * signal * (1 + 8 * bright)
    image = as_image(values + np.abs(np.random.default_rng(4).normal(0, 2, GRID.shape)))
    low, high = np.argwhere(TRUE).min(0), np.argwhere(TRUE).max(0) + 1
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return Image(image.data[box].clone(), GRID.window(low, high - low))


@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_a_drift_of_brightness_takes_no_part_of_the_body_away(strength: float) -> None:
    drift = 1 - strength * (POINTS[..., 1] / RADII[1] + 1).clip(0, 2) / 2
    body = find_body(as_image(inside(POINTS) * (250 + 600 * tissue(POINTS)) * drift))
    assert dice(body.mask) > 0.93 and body.doubt == ""


def test_a_lung_cut_open_by_the_side_of_the_view_is_part_of_the_body() -> None:
    values = np.full(GRID.shape, 40.0) + 60 * tissue(POINTS)
    lung = np.square((POINTS - [66, 10, 0]) / [50, 45, 40]).sum(-1) < 1
    values[lung] = -820.0
    values[:, :3] = -1000.0  # air in front, so that there is a background
    mask = find_body(as_image(values)).mask.numpy()
    assert mask[lung].mean() > 0.95 and not mask[:, 0].any()


@pytest.mark.slow
def test_a_doubtful_mask_is_said_and_has_to_be_looked_at() -> None:
    image = one_bright_organ()
    settings = replace(preset("fast"), deformable=False, linear=LinearSettings(model="none"))
    report = register(image, image, settings).report
    assert sum("could not be told from its background" in sentence for sentence in report["warnings"]) == 2
    reasons = [reason for reason in report["verdict"]["reasons"] if reason["code"] == "mask"]
    assert len(reasons) == 2 and report["verdict"]["level"] == "CHECK"
    mask = torch.from_numpy(TRUE)
    given = register(image, image, settings, fixed_mask=mask, moving_mask=mask)
    assert not any(reason["code"] == "mask" for reason in given.report["verdict"]["reasons"])


@pytest.mark.slow
@pytest.mark.parametrize(("above", "level"), [(0.0, "PASS"), (20.0, "FAIL")])
def test_a_whole_view_is_a_warning_alone_where_what_stands_out_bears_the_result_out(above: float, level: str) -> None:
    image = dim_side()
    assert find_body(image).stands_out is not None and bool(find_body(image).mask.all())
    matrix = np.eye(4)
    matrix[1, 3] = above
    start = Transform((Linear(matrix),))
    settings = replace(preset("fast"), deformable=False, linear=LinearSettings(model="none"))
    report = register(image, image, settings, initial=start).report
    assert any("could not be told from its background" in sentence for sentence in report["warnings"])
    said = any(reason["code"] == "mask" for reason in report["verdict"]["reasons"])
    assert report["verdict"]["level"] == level and said == (level != "PASS")


def test_bodies_that_differ_as_one_persons_cannot_are_said() -> None:
    whole, part = torch.from_numpy(TRUE), torch.from_numpy(TRUE & (POINTS[..., 2] > 20))
    image = as_image(ct())
    assert "differ much in size" in uneven_masks(image, image, (whole, part))
    assert uneven_masks(image, image, (whole, whole)) == ""

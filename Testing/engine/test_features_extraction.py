"""Whole images: orientation, spacing, size, units."""

import numpy as np
import pytest
import torch
from dsir.features.dsir import Dsir
from dsir.features.extraction import as_ras, describe, extract, working_lattice
from dsir.features.masrnet import MasrNetSettings
from dsir.features.mind import Mind
from dsir.features.normalise import normalise
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice

SMALL = MasrNetSettings(widths=(4, 8), depth=(0, 0), local_contrast=(2,), features=4, channels=6)


def smooth(*shape: int, seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(1, 1, *(n // 4 + 1 for n in shape), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0]


def test_axes_are_put_in_order_without_moving_a_voxel():
    affine = np.array([[0, 0, -2.0, 5], [3.0, 0, 0, -7], [0, -1.0, 0, 9], [0, 0, 0, 1]])
    lattice = Lattice((4, 5, 6), affine)
    ras = as_ras(lattice)
    assert ras.shape == (6, 4, 5)
    assert np.allclose(ras.directions, np.eye(3))
    assert np.allclose(np.sort(ras.corners(), 0), np.sort(lattice.corners(), 0))


def test_orientation_of_storage_does_not_change_the_features():
    volume = smooth(24, 20, 28)
    image = Image(volume, Lattice((24, 20, 28), np.diag([2.0, 2, 2, 1])))
    turned = np.zeros((4, 4))
    turned[0, 1], turned[1, 2], turned[2, 0], turned[3, 3] = -2, 2, 2, 1
    turned[0, 3] = 2 * 23
    stored = Image(volume.permute(2, 0, 1).flip(1).contiguous(), Lattice((28, 24, 20), turned))
    first, lattice = extract(image, Mind())
    second, other = extract(stored, Mind())
    assert lattice.matches(other)
    assert torch.allclose(first, second, atol=1e-5)


def test_working_lattice_is_isotropic_and_covers_the_image():
    lattice = Lattice((30, 30, 8), np.diag([1.0, 1.0, 5.0, 1.0]))
    working = working_lattice(lattice, 2.0)
    assert np.allclose(working.spacing, 2)
    assert (working.extent >= lattice.extent - 1e-6).all()


@pytest.mark.parametrize("descriptor", [Mind(), Dsir.untrained(SMALL)], ids=["mind", "network"])
def test_pieces_equal_the_whole(descriptor):
    descriptor.half = False
    volume = smooth(120, 12, 14)
    pieces = describe(descriptor, volume, whole=80 * 12 * 14)
    assert torch.allclose(pieces, descriptor.describe(volume), atol=2e-5)


@pytest.mark.parametrize("scale, offset", [(4000, -1000), (1e-3, 0), (-50, 9)])
def test_units_drop_out(scale, offset):
    volume = smooth(24, 24, 24)
    alike = (Mind()(volume) * Mind()(volume * scale + offset)).sum(0)
    assert alike.median() > 0.999


def test_finer_voxels_change_the_features_little():
    coarse = smooth(24, 24, 24)
    fine = torch.nn.functional.interpolate(coarse[None, None], scale_factor=2, mode="trilinear")[0, 0]
    at = np.diag([1.0, 1, 1, 1])
    at[:3, 3] = -0.5
    first, _ = extract(Image(coarse, Lattice((24,) * 3, np.diag([2.0, 2, 2, 1]))), Mind(), spacing=2.0)
    second, _ = extract(Image(fine, Lattice((48,) * 3, at)), Mind(), spacing=2.0)
    inner = (slice(None), *[slice(3, -3)] * 3)
    assert (first * second).sum(0)[inner[1:]].median() > 0.9


def test_metal_does_not_set_the_scale():
    volume = smooth(24, 24, 24)
    implant = volume.clone()
    implant[10, 10, 10:13] = 1000
    difference = (normalise(volume) - normalise(implant)).abs()
    assert difference.median() < 0.02


@pytest.mark.parametrize("value", [0.0, -1024.0, 7.5])
def test_a_constant_volume_is_all_zero(value):
    assert torch.equal(normalise(torch.full((5, 5, 5), value)), torch.zeros(5, 5, 5))

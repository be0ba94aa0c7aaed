"""The air around a body costs nothing, and what is done without it is what would have been done with it."""

from __future__ import annotations

import numpy as np
import torch
from dsir.features.mind import Mind
from dsir.features.unit import unit
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.occupied import around, occupied, within
from dsir.geometry.sampling import gaussian_blur
from dsir.registration.working_grid import describe, grown
from scipy import ndimage


def test_the_smallest_box_and_its_surroundings() -> None:
    weight = torch.zeros(7, 6, 5)
    assert occupied(weight) is None
    weight[2, 4, 1], weight[5, 3, 0] = 0.5, -1.0
    box = occupied(weight)
    assert box == (slice(2, 6), slice(3, 5), slice(0, 2))
    wide = around(box, weight.shape, 2)
    assert wide == (slice(0, 7), slice(1, 6), slice(0, 4))
    assert torch.equal(weight[wide][within(box, wide)], weight[box])


def test_a_body_is_described_as_if_the_air_had_been_too() -> None:
    draw = torch.Generator().manual_seed(0)
    lattice = Lattice((24, 20, 18), np.eye(4))
    image = Image(gaussian_blur(torch.randn(1, *lattice.shape, generator=draw), 1.0)[0], lattice)
    body = torch.zeros(lattice.shape, dtype=torch.bool)
    body[9:14, 7:12, 15:18] = True
    found = describe(Mind(), image, body, lattice)
    whole = Mind()(image.data, body) * grown(body.float())
    torch.testing.assert_close(found.features.float(), whole, atol=1e-3, rtol=0)
    assert found.features.any()
    assert not describe(Mind(), image, body & False, lattice).features.any()


def test_the_blur_is_a_gaussian_of_so_many_voxels() -> None:
    volume = torch.randn(2, 90, 70, 50, generator=torch.Generator().manual_seed(1))  # more than is blurred at a time
    wanted = [ndimage.gaussian_filter(v, (1.0, 0.7, 2.0), mode="nearest", radius=(3, 3, 6)) for v in volume.numpy()]
    torch.testing.assert_close(
        gaussian_blur(volume, (1.0, 0.7, 2.0)), torch.from_numpy(np.stack(wanted)), atol=1e-5, rtol=0
    )


def test_unit_vectors_are_those_of_pytorch() -> None:
    vectors = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(2))
    vectors[0, :, 1, 1] *= 1e-4
    for dim in (0, 1, 3):
        torch.testing.assert_close(unit(vectors, dim, 1e-2), torch.nn.functional.normalize(vectors, dim=dim, eps=1e-2))

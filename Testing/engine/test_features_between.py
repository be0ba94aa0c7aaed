"""Find vectors are kept for every second voxel; what is read of them is what the network says of every voxel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.features.between import at_voxels, block_means_between, thinned_shape
from dsir.features.blend import Blend
from dsir.features.dsir import Dsir
from dsir.features.extraction import describe_thinned
from dsir.features.masrnet import MasrNetSettings
from dsir.features.mind import Mind
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur
from dsir.registration.agreement import mean_cosine
from dsir.registration.working_grid import block_means, describe

SHAPE = (21, 16, 13)


def linear(shape: tuple[int, ...], step: int) -> torch.Tensor:
    """(2, ...) a ramp along the axes and its square root, which is none, at every ``step``-th voxel."""
    i, j, k = torch.meshgrid(*(step * torch.arange(n).float() for n in shape), indexing="ij")
    ramp = 0.3 * i - 0.2 * j + 0.5 * k
    return torch.stack([ramp, 7 - ramp])


def test_between_known_vectors_they_are_interpolated_up_to_the_last_voxel() -> None:
    known = linear(thinned_shape(SHAPE), 2)
    box = (slice(3, 21), slice(0, 16), slice(5, 13))
    torch.testing.assert_close(at_voxels(known, box, SHAPE), linear(SHAPE, 1)[(slice(None), *box)])
    assert torch.equal(at_voxels(linear(SHAPE, 1), box, SHAPE), linear(SHAPE, 1)[(slice(None), *box)])


@pytest.mark.parametrize("block", [1, 2, 3])
def test_means_of_blocks_are_those_of_all_voxels_between(block: int) -> None:
    known = torch.randn(5, *thinned_shape(SHAPE), generator=torch.Generator().manual_seed(1))
    everywhere = at_voxels(known, (slice(0, 21), slice(0, 16), slice(0, 13)), SHAPE)
    expected, _ = block_means(everywhere, Lattice(SHAPE, np.eye(4)), block)
    torch.testing.assert_close(block_means_between(known, block, SHAPE), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(block_means_between(everywhere, block, SHAPE), expected, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def network() -> Dsir:
    settings = MasrNetSettings(local_contrast=(2,), widths=(8, 16), depth=(0, 0), features=8, channels=6)
    return Dsir.untrained(settings, half=False)


def test_the_thinned_vectors_are_those_of_every_second_voxel(network: Dsir) -> None:
    volume = torch.randn(46, 42, 45, generator=torch.Generator().manual_seed(2))
    everywhere, known = network.describe(volume), network.describe_thinned(volume)
    assert known.shape[1:] == torch.Size(thinned_shape(volume.shape)) == torch.Size((24, 22, 23))
    torch.testing.assert_close(known[:, :23, :21], everywhere[:, ::2, ::2, ::2], atol=1e-5, rtol=0)
    pieces = describe_thinned(network, volume, whole=40_000)
    torch.testing.assert_close(pieces.float(), known, atol=2e-3, rtol=0)


def test_a_coarser_lattice_gets_both_kinds_of_vectors_by_their_weight(network: Dsir) -> None:
    lattice = Lattice((40, 44, 48), np.diag([2.0, 2.0, 2.0, 1.0]))
    image = Image(
        gaussian_blur(torch.randn(1, *lattice.shape, generator=torch.Generator().manual_seed(3)), 1.5)[0], lattice
    )
    both = describe(Blend(network, Mind(), 0.75), image, None, lattice)
    mind = describe(Mind(), image, None, lattice)
    assert torch.equal(both.features, mind.features) and both.channels == 18 and both.alone.channels == 12
    coarse = both.on(4.0)
    find, _ = block_means(network.describe(both_normalised(network, image)), lattice, 2)
    torch.testing.assert_close(
        coarse.features[6:].float(), 0.75**0.5 * mind.on(4.0).features.float(), atol=2e-3, rtol=0
    )
    cosine = torch.nn.functional.cosine_similarity(coarse.features[:6].float(), find, dim=0)
    assert cosine.mean() > 0.98  # means of vectors that were interpolated, and of such that were made as long as one
    fine = both.on(2.0)
    assert fine.channels == len(fine.features) == 18
    assert mean_cosine(both, both, None) == pytest.approx(mean_cosine(fine, fine, None), abs=0.02)


def both_normalised(network: Dsir, image: Image) -> torch.Tensor:
    return network.normalise(image.data, torch.ones(image.lattice.shape, dtype=torch.bool))

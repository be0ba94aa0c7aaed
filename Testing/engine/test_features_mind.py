"""MIND-SSC: contrast, flat regions, shifts."""

import pytest
import torch
from dsir.errors import DsirError
from dsir.features.descriptor import Descriptor, load_descriptor
from dsir.features.mind import Mind

TEXTURE = torch.rand(20, 18, 16, generator=torch.Generator().manual_seed(0))


def test_is_a_descriptor_of_unit_vectors():
    mind = load_descriptor("mind")
    assert isinstance(mind, Descriptor)
    values = mind(TEXTURE)
    assert values.shape == (12, 20, 18, 16) and values.dtype == torch.float32
    assert torch.allclose(values.norm(dim=0), torch.ones(20, 18, 16), atol=1e-4)


@pytest.mark.parametrize("remap", [lambda x: 1000 - 800 * x, lambda x: 3 * x], ids=["inverted", "scaled"])
def test_same_under_another_contrast(remap):
    alike = (Mind()(TEXTURE) * Mind()(remap(TEXTURE))).sum(0)
    # A voxel in a hundred is clamped at the ends of the robust range, and neighbours see it.
    assert alike.median() > 0.999 and alike.quantile(0.1) > 0.98


def test_padding_gets_no_vector():
    volume = torch.zeros(24, 12, 12)
    volume[14:] = TEXTURE[:10, :12, :12] + 1
    assert Mind()(volume)[:, :8].abs().max() == 0


def test_shift_of_the_image_shifts_the_vectors():
    mind = Mind()
    whole, part = mind.describe(TEXTURE), mind.describe(TEXTURE[5:])
    inner = slice(mind.margin, -mind.margin)
    assert torch.allclose(whole[:, 5:][:, inner], part[:, inner], atol=1e-5)


def test_only_a_trained_network_is_asked_in_a_mirror():
    with pytest.raises(DsirError, match="'mind' is none of them"):
        load_descriptor("mind-mirrored")

"""MASR-Net: the published shape, shifts, tiles, sizes."""

import pytest
import torch
from dsir.errors import DsirError
from dsir.features.descriptor import Descriptor, load_descriptor
from dsir.features.dsir import Dsir
from dsir.features.masrnet import BlurPool, MasrNet, MasrNetSettings, local_contrast
from dsir.features.mirrored import Mirrored

SMALL = MasrNetSettings(widths=(4, 8, 8), depth=(0, 0, 1), local_contrast=(2,), features=4, channels=6)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_paper_network_has_the_published_shape():
    network = MasrNet(MasrNetSettings.paper())
    shapes = [tuple(p.shape[:2]) for p in network.parameters() if p.ndim == 5 and p.shape[-1] == 3]
    down = [(8, 1), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32), (64, 64)]
    up = [(32, 96), (16, 48), (8, 24), (4, 8)]
    assert sorted(shapes) == sorted([*down, *up, (24, 24), (24, 24)])
    assert network.head.linear.weight.shape[:2] == (24, 4 * 24)
    assert network.settings.stride == 8


@pytest.mark.parametrize("settings", [SMALL, MasrNetSettings.paper()], ids=["small", "paper"])
def test_output_is_unit_vectors_at_full_resolution(settings):
    size = (19, 24, 21)  # no multiples of the stride
    with torch.no_grad():
        out = MasrNet(settings).eval()(noise(1, 1, *size))
    assert out.shape == (1, settings.channels, *size)
    assert torch.allclose(out.norm(dim=1), torch.ones(1, *size), atol=1e-4)


def test_shift_by_the_stride_shifts_the_features():
    descriptor = Dsir.untrained(SMALL)
    descriptor.half = False
    volume = noise(96, 20, 20)
    shift, margin = SMALL.stride, SMALL.margin
    whole, part = descriptor.describe(volume), descriptor.describe(volume[shift:])
    assert torch.allclose(whole[:, shift + margin :], part[:, margin:], atol=1e-5)


def test_margin_is_enough_and_not_wasteful():
    descriptor = Dsir.untrained(SMALL)
    descriptor.half = False
    volume = noise(112, 12, 12)
    changed = volume.clone()
    changed[:8] += 1
    moved = (descriptor.describe(volume) - descriptor.describe(changed)).abs().amax((0, 2, 3))
    reach = int((moved > 1e-6).nonzero().max()) - 7
    assert SMALL.margin / 2 < reach <= SMALL.margin


def test_blur_pool_keeps_a_constant_and_halves_the_grid():
    out = BlurPool(2)(torch.ones(1, 2, 8, 8, 8))
    assert out.shape == (1, 2, 4, 4, 4)
    assert torch.allclose(out[..., 1:, 1:, 1:], torch.ones(1, 2, 3, 3, 3))


def test_local_contrast_ignores_gain_and_offset():
    volume = noise(1, 1, 18, 18, 18)
    assert local_contrast(volume, 3).shape[2:] == (12, 12, 12)
    assert torch.allclose(local_contrast(volume, 3), local_contrast(5 * volume + 2, 3), atol=2e-2)


def test_untrained_network_is_the_same_every_time():
    volume = noise(16, 16, 16)
    first, second = load_descriptor("cnn"), load_descriptor("cnn")
    assert isinstance(first, Descriptor)
    assert torch.equal(first(volume), second(volume))


def test_unknown_descriptor_is_named_in_the_error():
    with pytest.raises(DsirError, match="no descriptor named 'sift'"):
        load_descriptor("sift")


def test_mirrors_are_asked_and_turned_back():
    network = Dsir.untrained(SMALL)
    network.half = False
    volume = noise(24, 24, 24)
    mirrored = Mirrored(network, axes=(1,))
    vectors = mirrored(volume)
    assert isinstance(mirrored, Descriptor) and vectors.shape == (2 * SMALL.channels, 24, 24, 24)
    assert torch.allclose(vectors.norm(dim=0), torch.ones(24, 24, 24), atol=1e-4)
    turned = mirrored(volume.flip(1)).flip(2)
    assert torch.allclose(vectors[: SMALL.channels], turned[SMALL.channels :], atol=1e-5)


def test_what_a_network_describes_may_be_masked_in_place():
    described = Dsir.untrained(SMALL)(noise(12, 13, 14))
    described.mul_(torch.zeros(12, 13, 14))  # as the registration does; no tensor of inference mode allows it
    assert not described.any()

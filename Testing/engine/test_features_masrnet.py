"""MASR-Net: the published shape, shifts, tiles, sizes."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from dsir.errors import DsirError
from dsir.features.descriptor import Descriptor, load_descriptor
from dsir.features.dsir import Dsir
from dsir.features.layers import BlurPool, double, local_contrast
from dsir.features.masrnet import MasrNet, MasrNetSettings
from dsir.features.mirrored import Mirrored

pytestmark = pytest.mark.slow

SMALL = MasrNetSettings(widths=(4, 8), depth=(0, 1), local_contrast=(2,), features=4, channels=6)
EVERY_VOXEL = replace(SMALL, base=1, widths=(4, 8, 8), depth=(0, 0, 1))
SETTINGS = pytest.mark.parametrize(
    "settings", [SMALL, EVERY_VOXEL, MasrNetSettings.paper()], ids=["small", "every voxel", "paper"]
)


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


@SETTINGS
def test_output_is_unit_vectors_at_full_resolution(settings):
    size = (19, 24, 21)  # no multiples of the stride
    with torch.no_grad():
        out = MasrNet(settings).eval()(noise(1, 1, *size))
    assert out.shape == (1, settings.channels, *size)
    assert torch.allclose(out.norm(dim=1), torch.ones(1, *size), atol=1e-4)


@SETTINGS
def test_shift_by_the_stride_shifts_the_features(settings):
    descriptor = Dsir.untrained(settings, half=False)
    volume = noise(128, 20, 20)
    shift, margin = settings.stride, settings.margin
    whole, part = descriptor.describe(volume), descriptor.describe(volume[shift:])
    assert torch.allclose(whole[:, shift + margin :], part[:, margin:], atol=1e-5)


@SETTINGS
def test_margin_is_enough_and_not_wasteful(settings):
    descriptor = Dsir.untrained(settings, half=False)
    volume = noise(144, 12, 12)
    changed = volume.clone()
    changed[:8] += 1
    moved = (descriptor.describe(volume) - descriptor.describe(changed)).abs().amax((0, 2, 3))
    reach = int((moved > 1e-6).nonzero().max()) - 7
    assert settings.margin / 2 < reach <= settings.margin


def test_input_made_in_slabs_is_that_of_the_whole():
    network = MasrNet(SMALL).eval()
    volume = noise(1, 1, 56, 16, 16)
    whole = network.thin(network._inputs(F.pad(volume, [3] * 6, mode="replicate"), 3))
    assert torch.allclose(network.prepare(volume)[:, : network.inputs], whole, atol=1e-6)


@SETTINGS
def test_output_made_in_slabs_is_that_of_the_whole(settings):
    network = MasrNet(settings).eval()
    volume = noise(1, 1, 61, 16, 19)
    whole = network(volume)
    with torch.no_grad():
        assert torch.allclose(network(volume), whole, atol=1e-5)
        inner = (slice(5, 54), slice(3, 16), slice(0, 18))
        assert torch.allclose(network(volume, inner), whole[(..., *inner)], atol=1e-5)


def test_doubling_keeps_every_second_voxel_and_fills_the_line_between():
    line = torch.tensor([1.0, 3.0, 7.0])
    doubled = double(line.view(1, 1, 3, 1, 1).expand(1, 1, 3, 3, 3))
    assert doubled.shape == (1, 1, 6, 6, 6)
    assert torch.allclose(doubled[0, 0, :, 2, 2], torch.tensor([1.0, 2.0, 3.0, 5.0, 7.0, 7.0]))


def test_thinning_and_doubling_leave_a_place_where_it_was():
    ramp = torch.arange(16.0).view(1, 1, 16, 1, 1).expand(1, 1, 16, 16, 16)
    back = double(BlurPool(1)(ramp))
    assert torch.allclose(back[..., 2:-2, 2:-2, 2:-2], ramp[..., 2:-2, 2:-2, 2:-2], atol=1e-5)


def test_blur_pool_keeps_a_constant_and_halves_the_grid():
    out = BlurPool(2)(torch.ones(1, 2, 8, 8, 8))
    assert out.shape == (1, 2, 4, 4, 4)
    assert torch.allclose(out[..., 1:, 1:, 1:], torch.ones(1, 2, 3, 3, 3))


@pytest.mark.parametrize("before", [0, 1])
def test_blurring_line_by_line_is_the_convolution(before: int):
    volume, pool = noise(1, 5, 13 - before, 8, 10), BlurPool(5)
    padded = torch.nn.functional.pad(volume, [1, 0, 1, 0, before, 0])
    wanted = torch.nn.functional.conv3d(padded, pool.kernel, stride=2)
    assert torch.allclose(pool(volume, before), wanted, atol=1e-5)


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
    network = Dsir.untrained(SMALL, half=False)
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

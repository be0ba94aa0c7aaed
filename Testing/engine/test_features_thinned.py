"""Find vectors of every second voxel: the same vectors, in the same places, in a quarter of the time."""

import torch
from dsir.features.descriptor import load_descriptor
from dsir.features.dsir import Dsir
from dsir.features.extraction import describe
from dsir.features.layers import thinned
from dsir.features.masrnet import MasrNet, MasrNetSettings
from dsir.features.thinned import describe_thinned
from dsir.registration.preparation import chosen_descriptor
from dsir.registration.settings import RegistrationSettings

SMALL = MasrNetSettings(widths=(4, 8), depth=(0, 1), local_contrast=(2,), features=4, channels=6)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def small() -> Dsir:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Dsir(MasrNet(SMALL), name="small", spacing=2.0, half=False, thinned=True)


def test_every_second_voxel_has_the_networks_vector_and_the_line_between_is_its_mean():
    network, volume = small().network, noise(1, 1, 41, 24, 25)
    with torch.no_grad():
        vectors = describe_thinned(network, volume)
        coarse = network(thinned(torch.nn.functional.pad(volume, [1] * 6, mode="replicate")))
    assert vectors.shape == (1, 6, 41, 24, 25)
    assert torch.allclose(vectors[..., ::2, ::2, ::2], coarse, atol=1e-5)
    between = torch.nn.functional.normalize(coarse[:, :, :-1] + coarse[:, :, 1:], dim=1)
    assert torch.allclose(vectors[:, :, 1::2, ::2, ::2], between, atol=1e-5)


def test_a_part_is_that_of_the_whole():
    network, volume = small().network, noise(1, 1, 44, 24, 25)
    inner = (slice(4, 39), slice(2, 24), slice(0, 25))
    with torch.no_grad():
        whole, part = describe_thinned(network, volume), describe_thinned(network, volume, inner)
    assert torch.allclose(part, whole[(..., *inner)], atol=1e-5)


def test_pieces_equal_the_whole():
    descriptor, volume = small(), noise(150, 40, 40)
    pieces = describe(descriptor, volume, whole=150_000)
    assert torch.allclose(pieces, descriptor.describe(volume), atol=1e-5)


def test_margin_is_enough_and_not_wasteful():
    descriptor, volume = small(), noise(160, 12, 12)
    changed = volume.clone()
    changed[:8] += 1
    moved = (descriptor.describe(volume) - descriptor.describe(changed)).abs().amax((0, 2, 3))
    reach = int((moved > 1e-6).nonzero().max()) - 7
    assert descriptor.margin / 2 < reach <= descriptor.margin


def test_registrations_thin_unless_told_otherwise_and_clicks_do_not():
    assert chosen_descriptor(RegistrationSettings()).first.thinned
    assert not chosen_descriptor(RegistrationSettings(thinned=False)).first.thinned
    assert not load_descriptor("dsir").thinned

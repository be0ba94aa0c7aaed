"""Self-similarity: the fused form, its geometry, and what it does not see."""

import math

import pytest
import torch
import torch.nn.functional as F
from dsir.features.dns import DnsSettings, Offset, _weights, _window, dns, pairs
from dsir.features.dns_embedding import SLAB, DnsEmbedding


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def dns_plain(volume: torch.Tensor, settings: DnsSettings) -> torch.Tensor:
    """The definition, word for word; what the fused form is tested against.

    Args:
        volume: (N, C, I, J, K).

    Returns:
        (N, C, relations, I, J, K).
    """
    reach, patch = settings.margin, settings.patch
    padded = F.pad(volume, [reach] * 6, mode="replicate")
    size = volume.shape[2:]

    def at(offset: Offset) -> torch.Tensor:
        start = [reach + step - patch for step in offset]
        return _window(padded, start, [n + 2 * patch for n in size])

    layouts = []
    for radius in settings.radii:
        maps = [F.avg_pool3d((at(i) - at(j)) ** 2, 2 * patch + 1, stride=1) for i, j in pairs(radius)]
        layouts.append(_weights(torch.stack(maps, 2), settings))
    return torch.cat(layouts, 2)


@pytest.mark.parametrize(
    "settings",
    [
        DnsSettings(),
        DnsSettings(radii=(1, 3), patch=0),
        DnsSettings(radii=(2,), patch=2, subtract_minimum=True, floor=1e-2),
    ],
    ids=["paper", "no patch", "MIND-like"],
)
def test_fused_form_equals_the_definition(settings):
    volume = noise(2, 3, 9, 11, 10)
    assert torch.allclose(dns(volume, settings), dns_plain(volume, settings), atol=2e-6)


def test_fused_form_has_the_gradient_of_the_definition():
    first = noise(1, 2, 7, 8, 9).requires_grad_()
    second = first.detach().clone().requires_grad_()
    weight = noise(1, 2, 24, 7, 8, 9, seed=1)
    (dns(first, DnsSettings()) * weight).sum().backward()
    (dns_plain(second, DnsSettings()) * weight).sum().backward()
    assert torch.allclose(first.grad, second.grad, atol=1e-4)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_twelve_pairs_lie_root_two_radii_apart(radius):
    found = pairs(radius)
    assert len({frozenset(pair) for pair in found}) == 12
    assert all(math.isclose(math.dist(i, j), math.sqrt(2) * radius) for i, j in found)
    assert all(math.isclose(math.hypot(*offset), radius) for pair in found for offset in pair)


def test_centre_voxel_is_never_used():
    volume = noise(1, 1, 9, 9, 9)
    changed = volume.clone()
    changed[0, 0, 4, 4, 4] += 5
    settings = DnsSettings(patch=0)
    assert torch.equal(dns(volume, settings)[..., 4, 4, 4], dns(changed, settings)[..., 4, 4, 4])


@pytest.mark.parametrize("remap", [lambda x: 7 * x - 3, lambda x: 1 - x], ids=["gain and offset", "inversion"])
def test_contrast_does_not_matter(remap):
    volume, settings = noise(1, 1, 10, 10, 10), DnsSettings(floor=0)
    assert torch.allclose(dns(volume, settings), dns(remap(volume), settings), atol=1e-4)


def test_flat_volume_gives_all_ones():
    assert torch.equal(dns(torch.full((1, 1, 6, 6, 6), 3.0), DnsSettings()), torch.ones(1, 1, 24, 6, 6, 6))


def test_squeezing_by_slabs_equals_squeezing_the_whole():
    features = noise(1, 3, 2 * SLAB + 5, 8, 7)
    squeeze = DnsEmbedding(3, DnsSettings(), embedding=6, channels=5, slope=0.2).eval()
    with torch.no_grad():
        whole = squeeze.linear(2 * dns_plain(features, DnsSettings()).flatten(1, 2) - 1)
        assert torch.allclose(squeeze.embed(features), whole, atol=1e-5)

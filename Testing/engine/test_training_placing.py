"""The placing loss: nothing where views fit, the displacement where they do not, blind to noise that averages out."""

import pytest
import torch
import torch.nn.functional as F
from dsir.geometry.sampling import gaussian_blur
from dsir.training.placing import SIDE, patches, pull
from dsir.training.random_numbers import step_generator
from dsir.training.views import ViewSettings, draw_views

SETTINGS = ViewSettings(size=32, offset=0.2, spacing=1.0, zoom=1.0)


def vectors(seed: int = 0) -> torch.Tensor:
    noise = torch.randn(8, 40, 40, 40, generator=torch.Generator().manual_seed(seed))
    return F.normalize(gaussian_blur(noise, 3.0), dim=0)


def cubes() -> torch.Tensor:
    line = torch.arange(SIDE)
    offsets = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).reshape(3, 1, -1)
    corners = torch.randint(4, 40 - 4 - SIDE, (3, 30, 1), generator=torch.Generator().manual_seed(1))
    return (corners + offsets).float()


def test_views_that_fit_do_not_pull():
    assert pull(vectors(), vectors(), cubes(), cubes()) < 1e-3


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pull_is_the_displacement(axis):
    there = cubes()
    there[axis] += 0.25
    quarter = pull(vectors(), vectors(), cubes(), there)
    there[axis] += 0.25
    half = pull(vectors(), vectors(), cubes(), there)
    assert half == pytest.approx(2 * float(quarter), rel=0.05)
    # Root mean square over three axes, one of them off by half a voxel; steep patches count more than flat ones.
    assert 0.5 / 3**0.5 < half < 1.4 * 0.5 / 3**0.5


def test_noise_averages_out_and_a_drift_does_not():
    clean = vectors()
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    fine = F.normalize(clean + 0.3 * F.normalize(noise, dim=0), dim=0)
    drift = F.normalize(clean + 0.3 * vectors(seed=3), dim=0)
    assert 2 * pull(clean, fine, cubes(), cubes()) < pull(clean, drift, cubes(), cubes())


def test_patches_show_the_same_tissue_in_both_views():
    generator = step_generator(0, 0)
    body = torch.zeros(64, 64, 64, dtype=torch.bool)
    body[8:56, 8:56, 8:56] = True
    first, second = draw_views(body, 1.0, SETTINGS, generator)
    here, there = patches(first, second, body, 12, generator)
    assert 0 < here.shape[1] <= 12 and here.shape == there.shape == (3, here.shape[1], SIDE**3)
    seen = first.to_source(here.flatten(1))
    assert torch.allclose(seen, second.to_source(there.flatten(1)), atol=0.05)
    assert body[tuple(seen.round().long())].all()
    assert there.min() >= 1 and there.max() <= SETTINGS.size - 2

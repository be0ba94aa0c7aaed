"""Views: what corresponds, and that place in the view says nothing."""

import pytest
import torch
from dsir.geometry.sampling import sample
from dsir.training.random_numbers import step_generator
from dsir.training.views import ViewSettings, corresponding, draw_views

SETTINGS = ViewSettings(size=24)
BODY = torch.ones(48, 44, 40, dtype=torch.bool)


def pair(seed: int):
    return draw_views(BODY, 1.5, SETTINGS, step_generator(seed, 0))


@pytest.mark.parametrize("seed", range(6))
def test_positions_found_in_the_source_lead_back(seed):
    view, _ = pair(seed)
    positions = 2 + 19 * torch.rand(3, 200, generator=step_generator(seed, 1))
    assert torch.allclose(view.from_source(view.to_source(positions), iterations=30), positions, atol=1e-2)


def test_the_grid_is_the_mapping_of_every_voxel():
    view, _ = pair(1)
    voxel = torch.tensor([[3.0], [7.0], [11.0]])
    assert torch.allclose(view.grid()[:, 3, 7, 11], view.to_source(voxel)[:, 0], atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_corresponding_positions_show_the_same_point(seed):
    first, second = pair(seed)
    a, b = corresponding(first, second, BODY, 300, step_generator(seed, 2))
    ramps = torch.stack(torch.meshgrid(*(torch.arange(float(n)) for n in BODY.shape), indexing="ij"))
    seen = [sample(ramps, view.to_source(p), padding="border") for view, p in ((first, a), (second, b))]
    assert (seen[0] - seen[1]).abs().max() < 0.05


def test_positions_stay_inside_the_body():
    body = torch.zeros_like(BODY)
    body[20:30, 15:30, 10:30] = True
    first, second = draw_views(body, 1.5, SETTINGS, step_generator(3, 0))
    a, _ = corresponding(first, second, body, 200, step_generator(3, 1))
    voxels = first.to_source(a).round().long()
    assert a.shape[1] > 0 and body[voxels[0], voxels[1], voxels[2]].all()


def test_place_in_one_view_hardly_tells_the_place_in_the_other():
    places = []
    for seed in range(60):
        first, second = pair(seed)
        a, b = corresponding(first, second, BODY, 100, step_generator(seed, 1))
        places += [torch.stack([a[0], b[0]])]
    correlation = float(torch.corrcoef(torch.cat(places, 1))[0, 1])
    assert abs(correlation) < 0.6

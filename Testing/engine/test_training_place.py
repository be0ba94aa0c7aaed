"""The place head and the Gauss-Newton loss: known shifts are found, the truth is the best place, files come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from dsir.errors import DsirError
from dsir.features.descriptor import load_descriptor
from dsir.features.layers import thinned
from dsir.features.masrnet import MasrNet, MasrNetSettings
from dsir.features.place import PlaceHead, PlaceSettings
from dsir.features.place_weights import is_place, read_place, write_place
from dsir.features.weights import shipped
from dsir.geometry.sampling import gaussian_blur, index_grid
from dsir.training.closed_form import placing_weights, sums
from dsir.training.gauss_newton import SIDE, Patches, basin, descended, gauss_newton, normal_matrices
from dsir.training.place import every_second

pytestmark = [pytest.mark.slow, pytest.mark.models]


def waves(shift: torch.Tensor, size: int = 24) -> torch.Tensor:
    """(3, n, n, n) smooth channels, moved by ``shift`` (3,) voxels."""
    x = index_grid((size,) * 3) + shift[:, None, None, None]
    return torch.stack(
        [torch.sin(x[0] / 3 + x[1] / 5), torch.cos(x[1] / 4 - x[2] / 3), torch.sin(x[2] / 3.5 + x[0] / 6)]
    )


def patches(offset: torch.Tensor, count: int = 5) -> Patches:
    """Cubes in the middle of both views, read ``offset`` away in the second."""
    reach = SIDE // 2 + 1
    line = torch.arange(-reach, reach + 1)
    cube = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).reshape(3, 1, -1)
    here = (torch.linspace(9, 14, count).round()[None, :, None].expand(3, -1, -1) + cube).float()
    return Patches(here, here + offset[:, None, None], offset[:, None].expand(-1, count).contiguous(), torch.eye(3))


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.4, -0.3, 0.2), (1.0, 0.5, -0.8)])
def test_a_step_lands_on_the_truth(offset: tuple[float, ...]) -> None:
    view, there = waves(torch.zeros(3)), patches(torch.tensor(offset))
    matrix, right = normal_matrices(view, view, there)
    step = torch.linalg.solve(matrix, right)
    assert torch.allclose(step, -there.offset.T, atol=0.12)


def test_steps_of_the_heads_own_lead_to_where_the_second_view_was_moved() -> None:
    off = torch.tensor([0.6, -0.4, 0.3])
    led = descended(waves(torch.zeros(3)), waves(off), patches(torch.zeros(3)), 6)
    assert torch.allclose(led.offset, -off[:, None].expand_as(led.offset), atol=0.08)
    assert torch.allclose(led.there - led.here, led.offset[:, :, None].expand_as(led.here), atol=1e-5)


def test_a_step_taken_in_the_second_views_own_voxels() -> None:
    turned = Patches(*(getattr(patches(torch.zeros(3)), k) for k in ("here", "there", "offset")), 2 * torch.eye(3))
    moved = turned.moved(torch.ones(3, 5))
    assert torch.allclose(moved.there - turned.there, torch.tensor(2.0))
    assert torch.allclose(moved.offset, torch.tensor(1.0))


def test_the_loss_is_least_where_the_views_fit_and_grows_with_what_is_missed() -> None:
    view, still = waves(torch.zeros(3)), patches(torch.zeros(3))
    losses = [
        float(gauss_newton(view, waves(torch.tensor([off, 0, 0])), still, torch.tensor(3.0)).loss)
        for off in (0.0, 0.3, 0.8)
    ]
    assert losses[0] < losses[1] < losses[2]


def test_an_overconfident_information_costs() -> None:
    view, off = waves(torch.zeros(3)), waves(torch.tensor([0.5, 0, 0]))
    there = patches(torch.zeros(3))
    honest, sure = (float(gauss_newton(view, off, there, torch.tensor(p)).loss) for p in (0.0, 9.0))
    assert honest < sure


def test_the_true_place_wins_among_displaced_ones() -> None:
    view, there = waves(torch.zeros(3)), patches(torch.zeros(3))
    shifts = torch.tensor([[3.0, 0, 0], [0, 2.0, 0], [0, 0, -2.5]]).T
    loss, hits = basin(view, view, there, shifts, torch.tensor(1.0))
    assert hits == 1.0 and float(loss) < 0.3
    moved = waves(torch.tensor([-3.0, 0, 0]))
    assert basin(view, moved, there, shifts, torch.tensor(1.0))[1] == 0.0


def test_a_head_comes_back_from_its_file_and_describes_by_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = PlaceSettings(hidden=8, channels=6)
    head = PlaceHead(settings)
    path = tmp_path / "place.safetensors"
    write_place(path, head, settings, {"find": shipped("dsir").sha256, "spacing": 2.0})
    assert is_place(path) and read_place(path).settings == settings
    descriptor = load_descriptor(str(path))
    volume = gaussian_blur(torch.randn(1, 36, 34, 32, generator=torch.Generator().manual_seed(1)), 1.5)[0]
    found = descriptor(volume)
    assert found.shape == (6, 36, 34, 32)
    assert torch.allclose(found.norm(dim=0), torch.ones(36, 34, 32), atol=1e-2)
    assert torch.allclose(descriptor(3 * volume + 7), found, atol=0.05)  # units drop out


def test_a_head_of_another_find_network_is_refused(tmp_path: Path) -> None:
    settings = PlaceSettings(hidden=8, channels=6)
    path = tmp_path / "place.safetensors"
    write_place(path, PlaceHead(settings), settings, {"find": "0" * 64, "spacing": 2.0})
    with pytest.raises(DsirError, match="another find network"):
        load_descriptor(str(path))


def test_relations_need_no_contrast() -> None:
    head = PlaceHead(replace(PlaceSettings(), hidden=4))
    volume = gaussian_blur(torch.randn(1, 24, 24, 24, generator=torch.Generator().manual_seed(2)), 1.0)[None]
    assert torch.allclose(head.relations(volume), head.relations(-2 * volume), atol=1e-2)


def test_the_closed_form_weighs_the_channel_that_places_and_drops_the_one_that_pulls() -> None:
    draw = torch.Generator().manual_seed(5)
    slopes = torch.randn(200, 3, 2, 27, generator=draw)
    residual = 0.1 * torch.randn(200, 1, 2, 27, generator=draw)
    residual[:, 0, 1] += 2.0 * slopes[:, 0, 1]  # the second channel's residual goes with its own gradient: it pulls
    h, b = sums(torch.cat([residual, slopes], 1), torch.eye(2))
    weights = placing_weights(h, b)
    assert weights[0] > 20 * weights[1]
    assert float((h.mean((0, 1)) * weights).sum()) == pytest.approx(float(h.mean((0, 1)).mean()), rel=1e-2)


def test_find_vectors_of_every_second_voxel_stay_on_those_voxels_and_fill_the_line_between() -> None:
    find = MasrNet(MasrNetSettings(widths=(4, 8), depth=(0, 0), local_contrast=(2,), features=4, channels=6)).eval()
    volume = torch.rand(1, 1, 25, 16, 17, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        vectors = every_second(find, volume)
        coarse = find(thinned(torch.nn.functional.pad(volume, [1] * 6, mode="replicate")))
    assert vectors.shape == (1, 6, 25, 16, 17)
    assert torch.allclose(vectors[..., ::2, ::2, ::2], coarse, atol=1e-5)
    between = torch.nn.functional.normalize(coarse[:, :, :-1] + coarse[:, :, 1:], dim=1)
    assert torch.allclose(vectors[:, :, 1::2, ::2, ::2], between, atol=1e-5)

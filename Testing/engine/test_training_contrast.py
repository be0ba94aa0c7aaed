"""The loss at its known values."""

import math

import torch
import torch.nn.functional as F
from dsir.training.contrast import LossSettings, contrast

GLOBAL = LossSettings(temperature=0.07, reach=1e6, far=0.0, gce_exponent=0.0, indifferent=0.0)


def grid(step: int = 4, size: int = 24) -> torch.Tensor:
    axis = torch.arange(2.0, size - 2, step)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, -1)


def features(channels: int = 32) -> torch.Tensor:
    return F.normalize(torch.randn(channels, 24, 24, 24, generator=torch.Generator().manual_seed(0)), dim=0)


def test_views_that_agree_cost_nothing():
    result = contrast(features(), features(), grid(), grid(), GLOBAL)
    assert result.loss < 0.2 and result.hits == 1.0


def test_a_constant_representation_costs_the_logarithm_of_the_choices():
    flat = torch.ones(8, 24, 24, 24)
    result = contrast(flat, flat, grid(), grid(), GLOBAL)
    assert math.isclose(float(result.loss), math.log(grid().shape[1]), rel_tol=1e-4)


def test_negatives_out_of_reach_do_not_count():
    flat = torch.ones(8, 24, 24, 24)
    near = LossSettings(reach=4.5, far=0.0, gce_exponent=0.0)
    inner = contrast(flat, flat, grid(), grid(), near).loss
    assert inner < math.log(7) + 1e-4  # a position and six neighbours


def test_points_a_fraction_of_a_voxel_apart_are_no_negatives():
    twice = torch.cat([grid(), grid() + 0.2], 1)
    strict = contrast(features(), features(), twice, twice, GLOBAL)
    lenient = contrast(
        features(), features(), twice, twice, LossSettings(reach=1e6, far=0.0, gce_exponent=0.0, indifferent=0.9)
    )
    assert lenient.loss < strict.loss


def test_detached_keys_get_no_gradient():
    first, second = features().requires_grad_(), features().requires_grad_()
    contrast(first, second, grid(), grid(), LossSettings(detach_keys=True)).loss.backward()
    assert first.grad is not None and second.grad is None


def test_trust_listens_less_to_what_cannot_be_told_apart():
    def pull(exponent: float) -> float:
        first = torch.ones(8, 24, 24, 24).requires_grad_()
        contrast(first, features(8), grid(), grid(), LossSettings(far=0.0, gce_exponent=exponent)).loss.backward()
        return float(first.grad.norm())

    assert pull(0.5) < pull(0.2) < pull(0.0)

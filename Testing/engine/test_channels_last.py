"""Reading many channels at once gives what reading them one by one does."""

from __future__ import annotations

import pytest
import torch
from dsir.geometry.channels_last import can_gather, gathered, side_by_side
from dsir.geometry.sampling import index_grid, sample

SHAPE = (9, 7, 11)


def volume(dtype: torch.dtype = torch.float32, channels: int = 5) -> torch.Tensor:
    values = torch.randn(channels, *SHAPE, generator=torch.Generator().manual_seed(0))
    return side_by_side(SHAPE, channels, dtype=dtype).copy_(values)


def places() -> torch.Tensor:
    """Within, on the border, and up to four voxels beyond it."""
    draw = torch.Generator().manual_seed(1)
    index = index_grid(SHAPE) + 4 * torch.randn(3, *SHAPE, generator=draw).clamp(-1, 1)
    index[:, 0] = index_grid(SHAPE)[:, 0]
    return index


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_values_are_those_of_grid_sample(padding: str) -> None:
    apart = volume().contiguous()
    assert can_gather(volume(), places()) and not can_gather(apart, places())
    expected = sample(apart, places(), padding=padding)
    torch.testing.assert_close(gathered(volume(), places(), padding=padding), expected, atol=2e-5, rtol=0)
    torch.testing.assert_close(sample(volume(), places(), padding=padding), expected, atol=2e-5, rtol=0)


def test_half_precision_rounds_and_no_more() -> None:
    exact, rounded = gathered(volume(), places()), gathered(volume(torch.float16), places())
    assert rounded.dtype == torch.float16 and 0 < (exact - rounded.float()).abs().max() < 5e-3


def test_voxel_centres_are_read_as_they_are() -> None:
    assert torch.equal(gathered(volume(), index_grid(SHAPE)), volume())


def test_gradients_and_single_slices_go_the_other_way() -> None:
    flat = side_by_side((1, 7, 11), 5, dtype=torch.float32).normal_()
    index = index_grid((1, 7, 11)).requires_grad_()
    assert not can_gather(flat, index.detach()) and not can_gather(volume(), places().requires_grad_())
    sample(flat, index + 0.25, padding="border").sum().backward()
    assert index.grad is not None and index.grad.abs().sum() > 0

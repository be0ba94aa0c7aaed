"""Channels standardised within their surroundings: what they forgive, and what a field gains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from channels_made import smooth_noise
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import index_grid, sample
from dsir.progress import silent
from dsir.registration import local_correlation, residual_weighing
from dsir.registration.descent import Level, descend
from dsir.registration.levels import descend_levels
from dsir.registration.local_correlation import standardised
from dsir.registration.settings import DescentSettings, RegistrationSettings
from dsir.registration.solver import Stiffness
from dsir.registration.working_grid import FeatureMap
from dsir.transforms.field import DisplacementField

SHAPE = (30, 28, 26)
LATTICE = Lattice(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0]))
LEVEL = Level(iterations=8, stiffness=Stiffness(bending=5.0), robust=10.0)


drawn = partial(smooth_noise, SHAPE)


def image(features: torch.Tensor, mask: torch.Tensor | None = None) -> FeatureMap:
    """Channels (C, I, J, K) as an image whose field of view is all of it."""
    whole = torch.ones(SHAPE)
    return FeatureMap(features, whole if mask is None else mask, whole, LATTICE)


def test_a_gain_and_an_offset_that_change_slowly_are_forgiven() -> None:
    channels = drawn(3, 1.0, 1)
    ramp = torch.linspace(0, 1, SHAPE[0])[:, None, None].expand(SHAPE)
    one, other = (standardised(image(c), 2.0).features.float() for c in (channels, (1 + ramp) * channels + 3 * ramp))
    core = (slice(None), *(slice(4, n - 4) for n in SHAPE))
    assert float((one - other)[core].square().mean()) < 0.02 * float(one[core].square().mean())


def test_channels_are_as_large_as_unit_vectors_and_nothing_outside_the_mask() -> None:
    mask = torch.zeros(SHAPE)
    mask[6:24, 5:23, 4:22] = 1
    done = standardised(image(0.01 * drawn(4, 1.5, 2), mask), 2.0).features.float()
    assert float((done.square().sum(0) * mask).sum() / mask.sum()) == pytest.approx(1.0, rel=0.01)
    assert not done[:, mask == 0].any()


def test_where_nothing_changes_noise_is_not_blown_up() -> None:
    channels = drawn(2, 1.5, 6)
    channels[:, 15:] = 0.01 * drawn(2, 1.5, 7)[:, 15:]
    done = standardised(image(channels), 2.0).features.float()
    flat, rich = (done[:, part, 4:-4, 4:-4].square().mean() for part in (slice(22, -4), slice(4, 9)))
    assert float(flat) < 0.01 * float(rich)
    assert torch.isfinite(standardised(image(torch.zeros(2, *SHAPE)), 2.0).features).all()


def test_a_contrast_that_fades_in_one_scan_is_matched_all_the_same() -> None:
    truth, moving = drawn(3, 6.0, 3), drawn(4, 1.5, 4)
    fixed = sample(moving, index_grid(SHAPE) + truth, padding="border")
    fixed = fixed * torch.linspace(0.1, 2, SHAPE[2]) + torch.linspace(-2, 2, SHAPE[1])[:, None]
    start = torch.zeros(3, *SHAPE)

    def error(change: Callable[[FeatureMap], FeatureMap]) -> float:
        u, _ = descend(change(image(0.4 * fixed)), change(image(0.4 * moving)), start, LEVEL)
        return float((u - truth).norm(dim=0)[4:-4, 4:-4, 4:-4].mean())

    assert error(lambda side: standardised(side, 2.0)) < 0.5 * error(lambda side: side)


def test_between_two_anatomies_neither_local_correlation_nor_place_vectors_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float | str] = []

    class Views:
        """Both images by the same channels on every level."""

        whole = (image(0.5 * drawn(4, 1.5, 5)), image(0.5 * drawn(4, 1.5, 5)))

        def through(self, field: DisplacementField) -> Views:
            return self

        def detail(self) -> tuple[FeatureMap, FeatureMap]:
            return self.whole

        @property
        def placing(self) -> tuple[FeatureMap, FeatureMap]:
            asked.append("place")
            return self.whole

    def counted(side: FeatureMap, width: float) -> FeatureMap:
        asked.append(width)
        return standardised(side, width)

    monkeypatch.setattr(local_correlation, "standardised", counted)
    short = Level(iterations=1)
    levels = (replace(short, scale=2.0), short, replace(short, place=True), replace(short, place=True, local=2.0))
    settings = replace(RegistrationSettings(), descent=DescentSettings(levels=levels))
    for largest, calls in ((residual_weighing.LARGEST_DEVIATION, ["place", "place", 2.0, 2.0]), (-1e-9, [])):
        asked.clear()
        monkeypatch.setattr(residual_weighing, "LARGEST_DEVIATION", largest)
        descend_levels(Views(), DisplacementField.identity(LATTICE), settings, None, silent)  # type: ignore[arg-type]
        assert asked == calls

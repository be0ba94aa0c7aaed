"""What is not a registration problem is refused in a sentence; what is hopeless still ends without folds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from dsir.errors import Cancelled, DsirError
from dsir.features.descriptor import load_descriptor
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration import levels
from dsir.registration.align import align
from dsir.registration.linear import LinearSettings
from dsir.registration.presets import preset
from dsir.registration.register import RegistrationResult, register
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.jacobian import fold_report
from dsir.transforms.linear import Linear
from phantoms import bend, body_points, bright_on_dark, dark_on_bright, error_mm, field_from, lattice_of, render

pytestmark = pytest.mark.slow

GRID = lattice_of((36, 40, 32), (4.0, 4.0, 4.0))
FIXED = render(GRID, dark_on_bright, bend)
MOVING = render(GRID, bright_on_dark)


def settings(start: str = "identity", **changes) -> RegistrationSettings:
    linear = LinearSettings(start=start, model="rigid")
    return preset("fast", **{"device": "cpu", "spacing": 4.0, "linear": linear, **changes})


def shifted(image: Image, mm: float) -> Image:
    affine = image.lattice.affine.copy()
    affine[:3, 3] += mm
    return Image(image.data, Lattice(image.lattice.shape, affine))


class StopAt:
    """Progress that cancels at the first word of a stage."""

    def __init__(self, stage: str) -> None:
        self.stage, self.seen = stage, []

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        self.seen.append((stage, fraction))
        if stage == self.stage:
            raise Cancelled("stopped")


@pytest.mark.parametrize("stage", ["prepare", "linear", "features", "discrete", "descent", "finish", "done"])
def test_cancel_ends_the_run_at_every_stage_and_changes_nothing(stage: str) -> None:
    watch, threads, state = StopAt(stage), torch.get_num_threads(), torch.get_rng_state()
    copies = FIXED.data.clone(), MOVING.data.clone()
    with pytest.raises(Cancelled):
        register(FIXED, MOVING, settings(threads=1, spacing=8.0), progress=watch)
    assert torch.equal(FIXED.data, copies[0]) and torch.equal(MOVING.data, copies[1])
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


def test_progress_only_goes_forward_and_ends_at_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = levels.noise_of_pair
    monkeypatch.setattr(levels, "noise_of_pair", lambda *given: replace(asked(*given), worth=True))  # descends twice
    watch = StopAt("never")
    register(FIXED, MOVING, settings(spacing=8.0), progress=watch)
    fractions = [fraction for _, fraction in watch.seen]
    assert fractions == sorted(fractions) and fractions[0] == 0.0 and fractions[-1] == 1.0


def test_a_linear_initial_transform_stays_the_last_part_and_is_used() -> None:
    away = np.eye(4)
    away[:3, 3] = 150.0
    initial = Transform((Linear(away),))
    result = register(FIXED, shifted(MOVING, 150.0), settings(), initial=initial)
    assert result.transform.parts[-1] is initial.parts[0]
    assert error_mm(result.transform, lambda points: bend(points) + 150.0).mean() < 4.0  # a voxel


def test_a_field_as_initial_transform_stays_the_last_part_and_is_used() -> None:
    truth = field_from(lattice_of((44, 48, 40), (4.0, 4.0, 4.0)), bend)
    result = register(FIXED, MOVING, settings(), initial=Transform((truth,)))
    assert result.transform.parts[-1] is truth
    assert error_mm(result.transform, bend).mean() < 0.3 * error_mm(Transform(), bend).mean()
    assert result.report["similarity"]["end"] >= result.report["similarity"]["start"] - 1e-3


def test_masks_that_are_empty_or_lie_on_another_grid_are_refused() -> None:
    ones = torch.ones(GRID.shape, dtype=torch.bool)
    for name in ("fixed", "moving"):
        with pytest.raises(DsirError, match=f"The {name} mask is empty"):
            register(FIXED, MOVING, settings(), **{f"{name}_mask": torch.zeros_like(ones)})
        with pytest.raises(DsirError, match=f"The {name} mask has the shape"):
            register(FIXED, MOVING, settings(), **{f"{name}_mask": ones[1:]})


def test_a_mask_decides_where_is_looked() -> None:
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[4:32, 4:36, 16:28] = True
    result = register(FIXED, MOVING, settings(), fixed_mask=mask)
    assert result.report["lattice"]["shape"][2] * result.report["lattice"]["spacing_mm"] < 100
    points = body_points()
    points = points[points[:, 2] > 12]
    assert error_mm(result.transform, bend, points).mean() < 4.0


def test_without_any_overlap_a_sentence_says_so() -> None:
    with pytest.raises(DsirError, match="share no space"):
        register(FIXED, shifted(MOVING, 2000.0), settings(linear=LinearSettings(start="identity", model="rigid")))


def test_a_far_position_is_no_obstacle_when_starts_are_searched() -> None:
    result = register(FIXED, shifted(MOVING, 2000.0), settings(start="auto"))
    assert error_mm(result.transform, lambda points: bend(points) + 2000.0).mean() < 4.0


@pytest.mark.parametrize(
    "change",
    [{"descriptor": "none such"}, {"device": "tpu"}, {"spacing": -1.0}],
    ids=["descriptor", "device", "spacing"],
)
def test_impossible_settings_are_refused(change: dict) -> None:
    with pytest.raises(DsirError):
        register(FIXED, MOVING, settings(**{"spacing": 8.0, **change}))


def hopeless(kind: str) -> tuple[Image, Image]:
    draw = torch.Generator().manual_seed(5)
    grid = lattice_of((26, 24, 22), (3.0, 3.0, 3.0))
    if kind == "noise on noise":
        return tuple(Image(torch.randn(grid.shape, generator=draw), grid) for _ in range(2))
    if kind == "constant":
        return Image(torch.full(grid.shape, 7.0), grid), Image(torch.full(grid.shape, -2.0), grid)
    if kind == "one bright voxel":
        first = torch.zeros(grid.shape)
        first[10, 10, 10] = 1e6
        return Image(first, grid), Image(torch.randn(grid.shape, generator=draw), grid)
    thin = lattice_of((26, 24, 1), (3.0, 3.0, 3.0))
    return Image(torch.randn(thin.shape, generator=draw), thin), Image(torch.randn(thin.shape, generator=draw), thin)


@cache
def registered(kind: str) -> RegistrationResult | str:
    """What comes of a hopeless pair: a result, or the sentence that refuses it."""
    try:
        return register(*hopeless(kind), settings())
    except DsirError as said:
        return str(said)


@pytest.mark.parametrize("kind", ["noise on noise", "constant", "one bright voxel", "one slice"])
def test_hopeless_pairs_end_without_folds_or_with_a_sentence(kind: str) -> None:
    result = registered(kind)
    if isinstance(result, str):
        assert result.endswith(".")
        return
    assert np.isfinite(result.transform.transform_points(body_points(50))).all()
    fields = [part for part in result.transform.parts if isinstance(part, DisplacementField)]
    assert all(fold_report(field).folds == 0 for field in fields)


def test_unrelated_scans_are_called_a_failure() -> None:
    assert any("failed" in warning for warning in registered("noise on noise").report["warnings"])


def test_the_linear_stage_does_not_fold_its_arms_over_an_empty_overlap() -> None:
    mind, everything = load_descriptor("mind"), torch.ones(GRID.shape, dtype=torch.bool)
    found = align(
        FIXED, shifted(MOVING, 5000.0), everything, everything, mind, LinearSettings(start="identity", model="affine")
    )
    np.testing.assert_allclose(found.matrix, np.eye(4), atol=1e-6)

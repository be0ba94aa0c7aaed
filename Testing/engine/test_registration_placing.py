"""The last levels' descriptors: what they are made of, and that they are the head's own, block by block or whole."""

from __future__ import annotations

from dataclasses import replace

import dsir.features.place_descriptor as place_descriptor
import numpy as np
import pytest
import torch
from dsir.features.dsir import Dsir
from dsir.features.place_descriptor import PlaceOutput
from dsir.features.weights import shipped
from dsir.geometry.sampling import gaussian_blur
from dsir.progress import silent
from dsir.registration.handed_on import FeaturePair, Prepared, Start
from dsir.registration.levels import descend_levels
from dsir.registration.placing import SHARE, LevelFeatures
from dsir.registration.presets import preset
from dsir.registration.settings import RegistrationSettings
from dsir.registration.stages import describe_both, prepare
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from phantoms import COARSE, Displacement, bright_on_dark, dark_on_bright, field_from, render

pytestmark = [pytest.mark.models, pytest.mark.slow]


def described(displacement: Displacement | None = None, **changes: object) -> tuple[Prepared, FeaturePair]:
    """A phantom in two contrasts, described as a registration does it."""
    settings = replace(preset("default", device="cpu", threads=1), spacing=5.0, **changes)
    fixed, moving = render(COARSE, dark_on_bright, displacement), render(COARSE, bright_on_dark)
    with torch.no_grad():
        prepared = prepare(fixed, moving, None, None, settings, silent)
        return prepared, describe_both(prepared, Linear(np.eye(4)), Start(), silent)


def test_block_by_block_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    output = PlaceOutput.of(Dsir.trained(shipped("dsir")))
    assert output is not None
    draw = torch.Generator().manual_seed(1)
    volume = gaussian_blur(torch.randn(1, 30, 26, 22, generator=draw), 1.0)[0]
    find = torch.nn.functional.normalize(torch.randn(24, 30, 26, 22, generator=draw), dim=0)
    with torch.no_grad():
        whole = output.head(volume[None, None], find[None])[0]
    monkeypatch.setattr(place_descriptor, "BLOCK", 12)
    monkeypatch.setattr(place_descriptor, "SLAB", 3000)
    wanted = torch.ones(volume.shape)
    wanted[:12] = 0
    found = output.describe(volume, 0.3 * find, wanted).float()
    torch.testing.assert_close(found[:, 12:], whole[:, 12:], atol=0.02, rtol=0)
    assert not found[:, :12].any()  # nobody asked


def test_what_is_wanted_of_a_block_is_what_the_whole_has_there() -> None:
    output = PlaceOutput.of(Dsir.trained(shipped("dsir")))
    assert output is not None
    draw = torch.Generator().manual_seed(2)
    volume = gaussian_blur(torch.randn(1, 40, 60, 20, generator=draw), 1.0)[0]
    find = torch.nn.functional.normalize(torch.randn(24, 40, 60, 20, generator=draw), dim=0)
    for part in ((slice(3, 34), slice(20, 55), slice(4, 9)), (slice(0, 2), slice(58, 60), slice(19, 20))):
        wanted = torch.zeros(volume.shape)
        wanted[part] = 1
        found, whole = output.describe(volume, find, wanted), output.describe(volume, find, torch.ones(volume.shape))
        at = (slice(None), *part)
        torch.testing.assert_close(found[at], whole[at], atol=2e-3, rtol=0)
    assert not output.describe(volume, find, torch.zeros(volume.shape)).any()


def test_place_vectors_and_mind_count_half_each() -> None:
    prepared, features = described()
    for before, after in zip((features.fixed, features.moving), LevelFeatures(prepared, features).placing, strict=True):
        assert len(after.features) == 16 + 12 and after.features.stride(0) == (
            before.features.stride(0) if before is features.fixed else 1
        )
        inside = before.mask > 0.99
        place, mind = (part[:, inside].float().square().sum(0) for part in after.features.split((16, 12)))
        assert place.mean() == pytest.approx(1 - SHARE, abs=0.01) and mind.max() == pytest.approx(SHARE, abs=0.01)
        assert after.lattice is before.lattice and not after.features[:, before.reach == 0].any()


def test_a_network_without_a_head_leaves_the_last_levels_to_mind_and_mind_to_itself() -> None:
    prepared, features = described(descriptor="cnn")
    fixed, _ = LevelFeatures(prepared, features).placing
    assert len(fixed.features) == 12
    assert torch.equal(fixed.features, features.fixed.features)
    prepared, features = described(descriptor="mind")
    assert LevelFeatures(prepared, features).placing == (features.fixed, features.moving)


def test_levels_before_those_that_place_are_matched_by_mind_alone() -> None:
    prepared, features = described()
    views = LevelFeatures(prepared, features)
    for whole, detail in zip(views.whole, views.detail(), strict=True):
        assert len(detail.features) == 12
        assert (detail.features.stride(0) == 1) == (whole.features.stride(0) == 1)
        assert torch.equal(detail.features, whole.features) and whole.find is not None and detail.find is None


def turned(points: np.ndarray) -> np.ndarray:
    """The displacement (mm) of a turn by 30 degrees about the body's long axis."""
    angle = np.deg2rad(30.0)
    matrix = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return np.asarray(points) @ (matrix - np.eye(3)).T


def test_relations_described_anew_reach_along_the_deformed_tissues_axes() -> None:
    prepared, features = described(turned)
    field = field_from(features.lattice, turned)
    views = LevelFeatures(prepared, features)
    anew, read = views.through(field).features.moving, features.moving.onto(features.lattice, field)
    inside = features.fixed.mask > 0.99
    assert anew.lattice == features.lattice and anew.find is not None

    def differ(features_of_moving: torch.Tensor) -> float:
        return float((features_of_moving - features.fixed.features)[:, inside].float().square().sum(0).mean())

    assert differ(anew.features) < 0.6 * differ(read.features[-12:])


def test_find_vectors_are_read_where_the_field_leads() -> None:
    for descriptor in ("dsir", "cnn"):  # of every second voxel, or of every voxel
        _, features = described(descriptor=descriptor)
        lattice, moving = features.lattice, features.moving
        assert moving.find is not None
        beyond = np.rint(moving.lattice.to_index(lattice.origin)).astype(
            int
        )  # voxels that the moving lattice begins before
        two = float(2 * lattice.spacing[0])
        shift = two * (1 - beyond % 2 / 2)  # so that known vectors meet known ones
        field = field_from(lattice, lambda points, shift=shift: np.broadcast_to(shift, np.shape(points)))
        found, thinned = moving.found_through(field), moving.find.shape[1:] != moving.mask.shape
        step = 2 if thinned else 1
        first = np.rint(moving.lattice.to_index(lattice.origin + shift)).astype(int) // step
        part = tuple(slice(a, a + 3) for a in first)
        torch.testing.assert_close(found[:, :3, :3, :3], moving.find[(slice(None), *part)], atol=2e-3, rtol=0)


def test_the_fixed_image_is_described_once_for_levels_that_place_and_the_moving_one_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared, features = described()
    asked: list[int] = []
    describe = PlaceOutput.describe

    def counted(self: PlaceOutput, *arguments: torch.Tensor) -> torch.Tensor:
        asked.append(1)
        return describe(self, *arguments)

    monkeypatch.setattr(PlaceOutput, "describe", counted)
    start, settings = DisplacementField.identity(features.lattice), RegistrationSettings()
    coarse, fine, last, local = settings.descent.levels
    assert [level.place for level in settings.descent.levels] == [False, False, True, True]
    with torch.no_grad():
        for levels, calls in (((coarse, fine), 0), ((coarse, fine, last, local), 3)):
            shorter = tuple(replace(level, iterations=1) for level in levels)
            cut = replace(settings, descent=replace(settings.descent, levels=shorter))
            descend_levels(LevelFeatures(prepared, features), start, cut, None, silent)
            assert len(asked) == calls

"""Settings survive JSON, and a wrong one is refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from dsir.errors import DsirError
from dsir.registration.discrete import DiscreteSettings
from dsir.registration.explanations import changed, explained
from dsir.registration.presets import PRESETS, preset
from dsir.registration.settings import RegistrationSettings
from dsir.registration.solver import Stiffness


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_knows_its_name_and_survives_json(name: str) -> None:
    settings = preset(name)
    assert settings.preset == name
    assert RegistrationSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_presets_go_from_coarse_to_fine_and_one_is_the_papers() -> None:
    assert {"fast", "default", "accurate", "paper", "head_mr_mr", "two_persons"} < set(PRESETS)
    assert preset("fast").spacing > preset("default").spacing > preset("accurate").spacing
    assert preset("paper").descent.method == "paper" and preset("default").descent.method == "compositive"


def test_changes_go_on_top_of_a_preset() -> None:
    settings = preset("fast", descriptor="mind", seed=7)
    assert (settings.seed, settings.spacing) == (7, PRESETS["fast"].spacing)


def test_what_a_file_does_not_name_keeps_its_default() -> None:
    settings = RegistrationSettings.from_json({"linear": {"model": "rigid"}, "spacing": 3})
    assert settings.linear.model == "rigid" and settings.linear.start == RegistrationSettings().linear.start
    assert settings.spacing == 3.0 and isinstance(settings.spacing, float)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spacin": 2.0}, "no setting called 'spacin'"),
        ({"linear": {"modell": "rigid"}}, "no setting called 'linear.modell'; known are: angles, fine, model"),
        ({"spacing": "two"}, "'spacing' cannot be 'two': it must be a number"),
        ({"spacing": -2}, "'spacing' cannot be -2"),
        ({"spacing": 0.0}, "'spacing' cannot be 0.0"),
        ({"spacing": float("nan")}, "'spacing' cannot be nan"),
        ({"spacing": float("inf")}, "'spacing' cannot be inf"),
        ({"voxels": -5}, "'voxels' cannot be -5"),
        ({"voxels": 0}, "'voxels' cannot be 0"),
        ({"seed": 1.9}, "'seed' cannot be 1.9: it must be a whole number"),
        ({"device": "tpu"}, "'device' cannot be 'tpu'"),
        ({"detail": 1.0}, "'detail' cannot be 1.0"),
        ({"linear": {"model": "elastic"}}, "'linear.model' cannot be 'elastic'"),
        ({"linear": {"start": "nowhere"}}, "'linear.start' cannot be 'nowhere'"),
        ({"linear": {"angles": []}}, "'linear.angles' cannot be .*at least one"),
        ({"discrete": {"captures": []}}, "'discrete.captures' cannot be .*at least one"),
        ({"discrete": {"captures": [48.0]}}, "equally many: 'grids' has 2, 'captures' has 1"),
        ({"descent": {"method": "bogus"}}, "'descent.method' cannot be 'bogus'"),
        ({"descent": {"levels": []}}, "'descent.levels' cannot be .*at least one"),
        ({"descent": {"levels": [{"stiffness": {"bending": 0}}]}}, "'descent.levels.0.stiffness.bending' cannot be 0"),
        ({"descent": {"levels": [{"stifness": {}}]}}, "'descent.levels.0.stifness'; known are: iterations"),
        ({"spacing": True}, "'spacing' cannot be True"),
        ({"linear": 3}, "'linear' cannot be 3"),
        ({"discrete": {"enabled": 1}}, "'discrete.enabled' cannot be 1: it must be true or false"),
        ({"discrete": {"grids": 12.0}}, "'discrete.grids' cannot be 12.0: it must be a list"),
        ({"descent": {"levels": [{"scale": "coarse"}]}}, "'descent.levels.0.scale' cannot be 'coarse'"),
        ({"spacing": None}, "'spacing' cannot be None"),
    ],
)
def test_a_wrong_setting_is_named(values: dict, said: str) -> None:
    with pytest.raises(DsirError, match=said):
        RegistrationSettings.from_json(values)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: RegistrationSettings(spacing=-2.0),
        lambda: preset("default", seed=1.9),
        lambda: replace(RegistrationSettings(), voxels=0),
        lambda: Stiffness(bending=float("nan")),
        lambda: DiscreteSettings(captures=()),
    ],
)
def test_python_is_refused_what_json_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(DsirError, match="cannot be"):
        wrong()


def test_old_reports_settings_are_still_read() -> None:
    old = RegistrationSettings().to_json()
    del old["deformable"], old["same_person"]
    old["linear"]["initial_network"] = old["initial_network"] = True
    assert RegistrationSettings.from_json(old) == RegistrationSettings()


def test_each_setting_has_a_value_and_a_meaning_and_can_be_changed_by_its_name() -> None:
    rows = explained(RegistrationSettings())
    assert {row.key for row in rows} > {"spacing", "linear.model", "descent.levels.1.stiffness.bending"}
    assert all(row.meaning for row in rows), [row.key for row in rows if not row.meaning]
    for row in rows:  # what is shown can be said
        assert changed(RegistrationSettings(), [f"{row.key}={json.dumps(row.value)}"]) == RegistrationSettings()
    softer = changed(RegistrationSettings(), ["descent.levels.0.stiffness.bending=2.5", "descriptor=mind"])
    assert softer.descent.levels[0].stiffness.bending == 2.5 and softer.descriptor == "mind"
    assert softer.descent.levels[1] == RegistrationSettings().descent.levels[1]


@pytest.mark.parametrize("said", ["spacing", "spacin=2", "descent.levels.7.scale=1", "spacing.x=1", "seed=1.9"])
def test_a_change_that_cannot_be_made_is_refused_by_its_name(said: str) -> None:
    with pytest.raises(DsirError, match=said.split("=")[0]):
        changed(RegistrationSettings(), [said])


def test_stiffness_and_capture_change_every_level_and_no_more_than_asked() -> None:
    plain, stiff = RegistrationSettings(), RegistrationSettings().stiffer(2.0).capturing(9.0)
    before, after = ([level.stiffness.bending for level in s.descent.levels] for s in (plain, stiff))
    assert after == [2 * bending for bending in before]
    assert stiff.discrete.captures == (9.0, 9.0)


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(DsirError, match="fast, default, accurate, paper"):
        preset("best")


def test_between_two_persons_the_field_is_softer_on_every_level() -> None:
    soft, usual = (preset(name).descent.levels for name in ("two_persons", "default"))
    assert [level.scale for level in soft] == [level.scale for level in usual if not level.place]
    assert all(one.stiffness.bending < other.stiffness.bending for one, other in zip(soft, usual, strict=False))

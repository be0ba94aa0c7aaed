"""Settings survive JSON, and a wrong one is refused in a sentence."""

from __future__ import annotations

import json

import pytest
from dsir.errors import DsirError
from dsir.registration.settings import PRESETS, RegistrationSettings, preset


@pytest.mark.parametrize("name", ["fast", "default", "accurate", "paper"])
def test_each_preset_knows_its_name_and_survives_json(name: str) -> None:
    settings = preset(name)
    assert settings.preset == name
    assert RegistrationSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_presets_go_from_coarse_to_fine_and_one_is_the_papers() -> None:
    assert set(PRESETS) == {"fast", "default", "accurate", "paper"}
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
        ({"linear": {"modell": "rigid"}}, "no setting called 'modell'"),
        ({"spacing": "two"}, "'spacing' cannot be 'two'"),
        ({"spacing": True}, "'spacing' cannot be True"),
        ({"linear": 3}, "'linear' cannot be 3"),
        ({"discrete": {"enabled": 1}}, "'enabled' cannot be 1"),
        ({"discrete": {"grids": 12.0}}, "'grids' cannot be 12.0"),
        ({"descent": {"levels": [{"scale": "coarse"}]}}, "'scale' cannot be 'coarse'"),
        ({"spacing": None}, "'spacing' cannot be None"),
    ],
)
def test_a_wrong_setting_is_named(values: dict, said: str) -> None:
    with pytest.raises(DsirError, match=said):
        RegistrationSettings.from_json(values)


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(DsirError, match="fast, default, accurate, paper"):
        preset("best")

"""Weights that are shipped: copied, entered with their hash, and refused where they do not belong together."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from dsir.errors import DsirError
from dsir.features.dns import DnsSettings
from dsir.features.masrnet import MasrNet
from dsir.features.place import PlaceHead, PlaceSettings
from dsir.features.place_weights import read_place, shipped_place, write_place
from dsir.features.weights import manifest, read_weights, write_weights
from dsir.training.ship import ship
from small_training import SMALL

HEAD = PlaceSettings(DnsSettings(radii=(1,), patch=1, subtract_minimum=True), context=0, hidden=4, channels=4)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    write_weights(tmp_path / "w.safetensors", MasrNet(SMALL.network), SMALL.network, {"steps": 7, "spacing": 2.0})
    return tmp_path / "w.safetensors"


def head_beside(find: str, folder: Path) -> Path:
    write_place(folder / "h.safetensors", PlaceHead(HEAD), HEAD, {"find": find, "spacing": 2.0})
    return folder / "h.safetensors"


def test_a_network_is_entered_with_its_hash_and_reads_back(network: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    entry = ship(network, "mine", models)
    assert entry["sha256"] == hashlib.sha256(network.read_bytes()).hexdigest()
    assert manifest(models) == {"mine": entry} and entry["steps"] == 7
    assert read_weights(models / "mine.safetensors", entry["sha256"]).provenance["spacing"] == 2.0
    (models / "mine.safetensors").write_bytes(network.read_bytes()[:-4] + b"\0\1\2\3")
    with pytest.raises(DsirError, match="not the ones this version ships with"):
        read_weights(models / "mine.safetensors", entry["sha256"])


def test_a_head_joins_the_network_it_was_trained_beside(network: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    find = str(ship(network, "mine", models)["sha256"])
    ship(head_beside(find, tmp_path), "mine", models)
    found = shipped_place(find, models)
    assert found is not None and found.settings == HEAD and found.provenance["find"] == find
    assert (models / "mine-place.safetensors").exists() and manifest(models)["mine"]["sha256"] == find
    ship(network, "second", models)
    assert set(manifest(models)) == {"mine", "second"} and "place" in manifest(models)["mine"]


@pytest.mark.parametrize("name", ["mine", "another"])
def test_a_head_of_another_network_changes_nothing(network: Path, tmp_path: Path, name: str) -> None:
    models = tmp_path / "models"
    ship(network, "mine", models)
    before = {file.name: file.read_bytes() for file in models.iterdir()}
    with pytest.raises(DsirError, match="trained beside another network"):
        ship(head_beside("0" * 64, tmp_path), name, models)
    assert {file.name: file.read_bytes() for file in models.iterdir()} == before


def test_what_holds_no_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_text("no weights")
    for name, said in (("x.safetensors", "holds no weights of a MASR-Net"), ("none.safetensors", "cannot be read")):
        with pytest.raises(DsirError, match=said):
            ship(tmp_path / name, "mine", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_the_list_of_models_is_json_with_a_line_for_each_fact(network: Path, tmp_path: Path) -> None:
    ship(network, "mine", tmp_path)
    text = (tmp_path / "models.json").read_text()
    assert json.loads(text)["models"]["mine"]["file"] == "mine.safetensors" and text.endswith("}\n")
    assert read_place(head_beside("a" * 64, tmp_path)).provenance == {"find": "a" * 64, "spacing": 2.0}

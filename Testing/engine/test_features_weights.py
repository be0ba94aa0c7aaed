"""Weights on disk: written, read, altered."""

import json
from dataclasses import asdict

import pytest
import torch
from dsir.errors import DsirError
from dsir.features.masrnet import MasrNet, MasrNetSettings
from dsir.features.place_weights import shipped_place
from dsir.features.weights import MODELS, manifest, read_weights, shipped, write_weights
from safetensors.torch import save_file

pytestmark = pytest.mark.models

SETTINGS = MasrNetSettings(widths=(4, 8), depth=(0, 1), features=4, channels=6, local_contrast=())


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    write_weights(path, MasrNet(SETTINGS), SETTINGS, {"steps": 3, "spacing": 2.0})
    return path


def test_reading_gives_back_what_was_written(weights):
    read = read_weights(weights)
    assert read.settings == SETTINGS
    assert read.provenance == {"steps": 3, "spacing": 2.0}
    MasrNet(read.settings).load_state_dict(read.tensors)


def test_altered_bytes_are_refused(weights):
    digest = read_weights(weights).sha256
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(DsirError, match="not the ones this version ships with"):
        read_weights(weights, digest)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", None], ids=["empty", "text", "missing"])
def test_what_is_no_weights_is_said_in_a_sentence(tmp_path, content):
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DsirError, match=r"x\.safetensors"):
        read_weights(path)


def test_a_network_of_an_earlier_version_is_refused(weights):
    tensors = read_weights(weights).tensors
    network = {key: value for key, value in asdict(SETTINGS).items() if key not in ("base", "coarse_dns")}
    save_file(tensors, weights, metadata={"network": json.dumps(network), "provenance": "{}"})
    with pytest.raises(DsirError, match="earlier version"):
        read_weights(weights)


def test_every_shipped_model_has_its_hash_and_finite_numbers():
    for name, entry in manifest().items():
        assert (MODELS / entry["file"]).stat().st_size < 16e6
        assert all(torch.isfinite(t).all() for t in shipped(name).tensors.values())
        place = shipped_place(entry["sha256"])
        assert place is not None and place.provenance["find"] == entry["sha256"]
        assert all(torch.isfinite(t).all() for t in place.tensors.values())

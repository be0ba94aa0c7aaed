"""A network that proposes a field: never folded, never worse than nothing, learned from single scans."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.features.mind import Mind
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur
from dsir.proposal.network import RegistrationNetwork, RegistrationNetworkSettings, correlation, integrated
from dsir.proposal.propose import Proposer
from dsir.proposal.weights import read_registration, write_registration
from dsir.registration.regularity import smallest_determinant
from dsir.registration.working_grid import Described
from dsir.training.batches import ExampleSettings, Mixture
from dsir.training.pairs import BendingSettings, PairSettings
from dsir.training.registration import RegistrationTrainingSettings, train_registration
from dsir.training.views import ViewSettings
from small_training import one_scan

TINY = RegistrationNetworkSettings(channels=12, reach=1, widths=(8, 8), integration=4)
SMALL = RegistrationTrainingSettings(
    descriptor="mind",
    network=replace(TINY, channels=99),  # the descriptor says how many
    examples=ExampleSettings(views=ViewSettings(size=24, offset=0.05, warp=0.0), mixture=Mixture(1, 0, 0, 0)),
    pairs=PairSettings(count=2, bending=BendingSettings(knots=24.0, amplitude=6.0)),
    steps=90,
    learning_rate=5e-3,
    warmup=5,
    average=0.9,
    report=15,
    source_spacing=2.0,
    precision="32-true",
    accelerator="cpu",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proposal")
    train_registration(one_scan(folder / "scans"), folder / "run", SMALL)
    return folder / "run"


def test_a_wild_velocity_is_integrated_without_folds() -> None:
    noise = torch.randn(3, 20, 20, 20, generator=torch.Generator().manual_seed(0))
    velocity = 12 * gaussian_blur(noise, 3.0)
    assert float(smallest_determinant(velocity).min()) < 0  # taken as a displacement it would fold
    assert float(smallest_determinant(integrated(velocity, 6)).min()) > 0


def test_an_even_velocity_is_its_own_displacement() -> None:
    even = torch.tensor([0.5, -1.0, 2.0]).view(3, 1, 1, 1).expand(3, 6, 6, 6)
    assert torch.allclose(integrated(even, 5), even, atol=1e-5)


def test_the_cosines_are_highest_where_the_moving_image_was_shifted_to() -> None:
    fixed = torch.nn.functional.normalize(torch.randn(1, 9, 8, 8, 8), dim=1)
    found = correlation(fixed, fixed.roll((1, 0, -1), (2, 3, 4)), 1)[0, :, 2:-2, 2:-2, 2:-2]
    assert int(found.mean((1, 2, 3)).argmax()) == 2 * 9 + 1 * 3 + 0  # displacement (1, 0, -1)


def test_a_fresh_network_moves_nothing_on_any_size() -> None:
    network = RegistrationNetwork(TINY)
    sides = torch.rand(2, 1, 12, 9, 14, 11)
    with torch.no_grad():
        u = network(*sides)
    assert u.shape == (1, 3, 9, 14, 11) and not u.any()


def test_training_on_one_scan_lowers_loss_and_error(run: Path) -> None:
    with open(run / "log.csv", newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert rows[-1]["loss"] < 0.95 * rows[0]["loss"]
    assert rows[-1]["error_mm"] < 0.9 * rows[-1]["start_mm"]


def test_a_stopped_training_goes_on_as_if_it_had_not_been(run: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(stage: str, fraction: float, message: str) -> None:
        if stage == "training":
            raise Stopped

    scans, settings = run.parent / "scans", replace(SMALL, steps=6, report=3)
    whole = read_registration(train_registration(scans, tmp_path / "whole", settings))
    with pytest.raises(Stopped):
        train_registration(scans, tmp_path / "parts", settings, stop)
    parts = read_registration(train_registration(scans, tmp_path / "parts", settings, resume=True))
    for a, b in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.equal(a, b)


def described(seed: int) -> Described:
    lattice = Lattice((14, 12, 13), torch.diag(torch.tensor([4.0, 4, 4, 1])).double().numpy())
    volume = gaussian_blur(torch.randn(1, *lattice.shape, generator=torch.Generator().manual_seed(seed)), 1.0)[0]
    ones = torch.ones(lattice.shape)
    return Described(Mind()(volume), ones, ones, lattice)


def test_a_field_that_lowers_the_similarity_is_refused(tmp_path: Path) -> None:
    network = RegistrationNetwork(TINY)
    with torch.no_grad():
        network.velocity.bias.fill_(2.0)  # moves everything, whatever it sees
    write_registration(tmp_path / "bad.safetensors", network, "mind", Mind().identity, {})
    side = described(0)
    proposal = Proposer.read(tmp_path / "bad.safetensors")(Mind(), side, side, lambda descriptor: (side, side))
    assert proposal.field is None and proposal.report["accepted"] is False
    assert proposal.report["similarity"]["after"] < proposal.report["similarity"]["before"]


def test_a_network_of_another_descriptor_is_refused(tmp_path: Path) -> None:
    network = RegistrationNetwork(TINY)
    write_registration(tmp_path / "w.safetensors", network, "mind", {"descriptor": "mind", "sha256": "other"}, {})
    with pytest.raises(DsirError, match="train it again"):
        Proposer.read(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(DsirError, match="no weights of a registration network"):
        Proposer.read(tmp_path / "w.safetensors")


def test_register_begins_from_the_networks_field_and_says_so(run: Path, tmp_path: Path) -> None:
    scan = run.parent / "scans" / "a_scan.nii.gz"
    words = ["register", "--fixed", scan, "--moving", scan, "--out", tmp_path / "out", "--preset", "fast", "-q"]
    assert main([str(word) for word in [*words, "--initial-network", run / "weights.safetensors"]]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["proposal"]["sha256"]) == 64
    assert report["proposal"]["accepted"] == ("discrete" not in report["seconds"])
    assert report["folds"] == 0

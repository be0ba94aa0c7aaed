"""A training of the place head, in seconds: it learns, goes on where it stopped, looks through two real contrasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from dsir.features.dns import DnsSettings
from dsir.features.masrnet import MasrNet
from dsir.features.place import PlaceHead, PlaceSettings
from dsir.features.place_weights import read_place
from dsir.features.weights import Weights
from dsir.training import place
from dsir.training.batches import ExampleSettings, Mixture
from dsir.training.closed_form import begin_directly
from dsir.training.gauss_newton import gauss_newton
from dsir.training.place import PlaceExamples, PlaceLoss, PlaceTrainingSettings, Placing, train_place
from dsir.training.views import ViewSettings
from dsir.training.volumes import load_sources
from small_training import SMALL, one_scan

pytestmark = pytest.mark.slow

SETTINGS = PlaceTrainingSettings(
    head=PlaceSettings(DnsSettings(radii=(1,), patch=1, subtract_minimum=True), context=8, hidden=4, channels=4),
    examples=ExampleSettings(views=ViewSettings(size=20), mixture=Mixture(shapes=0), contrasts=0.0),
    loss=PlaceLoss(patches=16, compared=8, places=4, descended=1),
    source_spacing=2.0,
    steps=4,
    warmup=1,
    report=2,
    precision="32-true",
    accelerator="cpu",
)


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(place, "begin_directly", lambda head, examples: begin_directly(head, examples, 4))
    return one_scan(tmp_path / "scans")


@pytest.fixture
def find() -> Weights:
    torch.manual_seed(2)
    return Weights(MasrNet(SMALL.network).state_dict(), SMALL.network, {}, "f" * 64)


def test_a_resumed_run_equals_an_uninterrupted_one_and_says_beside_what_it_learned(
    scans: Path, find: Weights, tmp_path: Path
) -> None:
    class Stopped(Exception):
        pass

    def stop(stage: str, fraction: float, message: str) -> None:
        if stage == "training":
            raise Stopped

    whole = read_place(train_place(scans, tmp_path / "whole", find, SETTINGS))
    with pytest.raises(Stopped):
        train_place(scans, tmp_path / "parts", find, SETTINGS, stop)
    assert read_place(tmp_path / "parts" / "weights.safetensors").provenance["steps"] == 2
    parts = read_place(train_place(scans, tmp_path / "parts", find, SETTINGS, resume=True))
    assert all(torch.equal(whole.tensors[k], parts.tensors[k]) for k in whole.tensors)
    assert parts.settings == SETTINGS.head
    assert parts.provenance["find"] == find.sha256 and parts.provenance["spacing"] == 2.0


def test_steps_lower_the_loss_of_an_example_and_leave_the_find_network_alone(scans: Path, find: Weights) -> None:
    before = {name: values.clone() for name, values in find.tensors.items()}
    task = Placing(SETTINGS, PlaceExamples(load_sources(scans, None, 2.0), [], SETTINGS), find)
    torch.manual_seed(0)
    head, example = PlaceHead(SETTINGS.head), task.draw(5)
    optimiser = torch.optim.Adam(head.parameters(), 3e-2)
    losses = list(_descent(task, head, example, optimiser, 12))
    assert losses[-1] < losses[0] - 0.5
    assert all(torch.equal(before[name], values) for name, values in task.find.state_dict().items())


def _descent(task: Placing, head: PlaceHead, example: place.PlaceExample, by: torch.optim.Adam, count: int) -> Iterator:
    for _ in range(count):
        by.zero_grad()
        loss, facts = task.loss(head, example)
        assert set(facts) == set(task.facts)
        loss.backward()
        by.step()
        yield float(loss.detach())


def test_the_closed_form_rests_better_than_heads_drawn_at_random(scans: Path) -> None:
    examples = PlaceExamples(load_sources(scans, None, 2.0), [], SETTINGS)
    unseen = [examples.draw(number) for number in range(20, 28)]

    def rest(head: PlaceHead) -> float:
        with torch.no_grad():
            pairs = [[head(view[None, None], None)[0] for view in (one.first, one.second)] for one in unseen]
            steps = [gauss_newton(*p, one.fitting, head.log_precision) for p, one in zip(pairs, unseen, strict=True)]
        return sum(step.rest for step in steps) / len(steps)

    torch.manual_seed(0)
    heads = [PlaceHead(SETTINGS.head) for _ in range(3)]
    random = sum(map(rest, heads)) / len(heads)
    begin_directly(heads[0], examples, 12)
    assert rest(heads[0]) < 0.95 * random


def test_two_contrasts_of_a_person_are_the_two_views(scans: Path) -> None:
    (source,) = load_sources(scans, None, 2.0)
    dark = replace(source, name="dark", data=-source.data)
    always = replace(SETTINGS, examples=replace(SETTINGS.examples, contrasts=1.0))
    seen: list[str] = []

    def look(source, view, synthesis, generator):
        seen.append(source.name)
        assert synthesis.mixed == 0.0 and synthesis.monotone == 1.0  # their own contrasts stay what they are
        return torch.zeros((view.size,) * 3)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(place, "look", look)
        example = PlaceExamples([source], [(source, dark)], always).draw(1)
    assert set(seen) == {source.name, "dark"}
    assert example.displaced.offset.norm(dim=0).max() <= always.loss.farthest
    assert example.fitting.offset.abs().max() == 0
    first, again = (PlaceExamples([source], [(source, dark)], always).draw(1) for _ in range(2))
    assert torch.equal(first.second, again.second) and torch.equal(first.shifts, again.shifts)


def test_a_run_may_begin_from_tensors(scans: Path, find: Weights, tmp_path: Path) -> None:
    first = train_place(scans, tmp_path / "first", find, replace(SETTINGS, steps=1))
    still = replace(SETTINGS, steps=1, learning_rate=0.0)
    again = read_place(train_place(scans, tmp_path / "again", find, still, init=first))
    assert all(torch.equal(again.tensors[k], v) for k, v in read_place(first).tensors.items())

"""Training runs: repeatable, resumable, and not fooled by position."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.features.dsir import Dsir
from dsir.features.weights import read_weights
from dsir.training.batches import ExampleSettings, Mixture
from dsir.training.contrast import LossSettings
from dsir.training.random_numbers import step_generator
from dsir.training.tissue import random_table
from dsir.training.train import train
from dsir.training.views import ViewSettings
from dsir.training.volumes import noise_labels
from point_retrieval import RetrievalSettings, retrieval
from small_training import SMALL, one_scan

pytestmark = pytest.mark.slow


@pytest.fixture
def scans(tmp_path):
    return one_scan(tmp_path / "scans")


class Stopped(Exception):
    pass


def test_a_resumed_run_equals_an_uninterrupted_one(scans, tmp_path):
    def stop(stage, fraction, message):
        if stage == "training":
            raise Stopped

    whole = read_weights(train(scans, tmp_path / "whole", SMALL))
    with pytest.raises(Stopped):  # at the first report
        train(scans, tmp_path / "parts", SMALL, stop)
    assert read_weights(tmp_path / "parts" / "weights.safetensors").provenance["steps"] == 3
    parts = read_weights(train(scans, tmp_path / "parts", SMALL, resume=True))
    assert all(torch.equal(whole.tensors[k], parts.tensors[k]) for k in whole.tensors)


def test_examples_drawn_ahead_by_others_are_the_same_examples(scans, tmp_path):
    alone = read_weights(train(scans, tmp_path / "alone", replace(SMALL, batch=2)))
    ahead = read_weights(train(scans, tmp_path / "ahead", replace(SMALL, batch=2, workers=2)))
    assert all(torch.equal(alone.tensors[k], ahead.tensors[k]) for k in alone.tensors)


def test_a_run_of_minutes_says_so_and_keeps_checkpoints(scans, tmp_path):
    line = ["train", scans, "--out", tmp_path / "run", "--minutes", "0.01", "--size", "24", "--threads", "1", "-q"]
    assert main([str(part) for part in line]) == 0
    kept = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert kept["hours"] == pytest.approx(0.01 / 60)
    assert kept["checkpoint_minutes"] == 1.0
    assert kept["examples"]["views"]["size"] == 24
    assert (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.parametrize(
    "wrong, said",
    [
        (["--minutes", "0"], "not a number above zero"),
        (["--hours", "nan"], "not a number above zero"),
        (["--size", "4"], "16 to 192 voxels"),
        (["--steps", "0"], "one step"),
    ],
)
def test_impossible_runs_are_refused_before_they_begin(scans, tmp_path, capsys, wrong, said):
    assert main(["train", str(scans), "--out", str(tmp_path / "run"), *wrong]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_written_over(scans, tmp_path):
    train(scans, tmp_path / "run", replace(SMALL, steps=1))
    with pytest.raises(DsirError, match="already holds a run"):
        train(scans, tmp_path / "run", SMALL)


@pytest.mark.parametrize("resume, match", [(False, r"no \.nii"), (True, "no checkpoint|no .nii")])
def test_nothing_to_learn_from_is_said(tmp_path, resume, match):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DsirError, match=match):
        train(tmp_path / "empty", tmp_path / "run", SMALL, resume=resume)


def test_the_run_leaves_a_log_and_its_settings(scans, tmp_path):
    out = tmp_path / "run"
    train(scans, out, replace(SMALL, steps=3))
    lines = (out / "log.csv").read_text().splitlines()
    assert lines[0].startswith("step,seconds,loss") and len(lines) == 2
    assert (out / "settings.json").exists() and (out / "checkpoint.safetensors").exists()


def test_what_is_learned_is_anatomy_not_position(scans, tmp_path):
    """The position trap: a short training helps as much with a displaced partner as with one in place."""
    maps = tmp_path / "maps"
    maps.mkdir()
    for seed in (1, 2):
        labels = noise_labels((36, 36, 36), 6, 7, step_generator(seed, 0)).numpy().astype(np.int16)
        nib.save(nib.Nifti1Image(labels + 1, np.diag([2.0, 2, 2, 1])), maps / f"m{seed}_map.nii.gz")
    settings = replace(
        SMALL,
        examples=ExampleSettings(views=ViewSettings(size=20), mixture=Mixture(0, 1, 0, 0)),
        loss=LossSettings(positions=256),
        steps=40,
        warmup=5,
        learning_rate=5e-3,
        average=0.9,
    )
    trained = Dsir.trained(read_weights(train(scans, tmp_path / "run", settings, labelmaps=maps)))
    labels = noise_labels((44, 44, 44), 6, 7, step_generator(5, 0))
    looks = [random_table(6, step_generator(seed, 1)).mean[labels] for seed in (11, 12)]

    def right(descriptor: Dsir, shift: float) -> float:
        measure = RetrievalSettings(points=150, repeats=2, warp=0.5, shift=(shift, shift))
        return retrieval(descriptor, *looks, torch.ones_like(labels, dtype=torch.bool), 2.0, measure).right

    displaced, in_place = right(trained, 20.5), right(trained, 0.5)
    assert displaced > 1.3 * right(Dsir.untrained(SMALL.network), 20.5)
    assert displaced > 0.6 * in_place

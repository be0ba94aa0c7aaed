"""Several processes do what one would."""

from __future__ import annotations

import csv
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from dsir.errors import DsirError
from dsir.features.weights import read_weights
from dsir.training.train import train
from small_training import SMALL, one_scan
from started import SERVER

pytestmark = pytest.mark.slow

SETTINGS = replace(SMALL, steps=4, report=1, batch=2)


def launched(scans: Path, out: Path, processes: int) -> None:
    """A run shared by so many processes, which are told what torchrun tells them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    told |= {"GROUP_RANK": 0, "TORCHELASTIC_RUN_ID": "a test"}
    ranks = [{**told, "RANK": rank, "LOCAL_RANK": rank} for rank in range(processes)]
    started = [SERVER.Process(target=one_of, args=(rank, scans, out)) for rank in ranks]
    for process in started:
        process.start()
    for process in started:
        process.join(600)
    assert [process.exitcode for process in started] == [0] * processes


def one_of(told: dict[str, object], scans: Path, out: Path) -> None:
    """One of the processes of a shared run."""
    os.environ.update({name: str(value) for name, value in told.items()})
    torch.set_num_threads(1)
    train(scans, out, SETTINGS)


def losses(out: Path) -> list[float]:
    with open(out / "log.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    scans = one_scan(tmp_path / "scans")
    alone = read_weights(train(scans, tmp_path / "one", SETTINGS)).tensors
    launched(scans, tmp_path / "two", 2)
    shared = read_weights(tmp_path / "two" / "weights.safetensors").tensors
    assert len(losses(tmp_path / "one")) == SETTINGS.steps
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    assert all(torch.allclose(alone[key], shared[key], atol=2e-3) for key in alone)


def test_a_batch_that_cannot_be_shared_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dsir.training import run

    class Two:
        world_size = 2

    monkeypatch.setattr(run, "fabric", lambda *_: Two())
    with pytest.raises(DsirError, match="multiple"):
        run.Run(run.RunSettings(batch=3), torch.nn.Linear(2, 2), tmp_path)

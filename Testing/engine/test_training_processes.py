"""Several processes do what one would."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import dsir
import pytest
import torch
from dsir.errors import DsirError
from dsir.features.weights import read_weights
from dsir.training.train import train
from small_training import SMALL, one_scan

pytestmark = pytest.mark.slow

SETTINGS = replace(SMALL, steps=4, report=1, batch=2)

PROGRAM = """
import sys
from pathlib import Path
from dsir.training.train import train
from test_training_processes import SETTINGS

train(Path(sys.argv[1]), Path(sys.argv[2]), SETTINGS)
"""


def launched(scans: Path, out: Path, processes: int) -> None:
    """A run shared by so many processes, as torchrun starts them."""
    program = out.with_suffix(".py")
    program.write_text(PROGRAM)
    here = [str(Path(__file__).parent), str(Path(dsir.__file__).parents[1])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(here)}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *launch, str(program), str(scans), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]


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

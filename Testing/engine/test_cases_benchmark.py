"""The benchmark's own machinery: what it does without data, how it measures, how it shows failures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import peers
from peer_methods import METHODS, Method, run_method
from peer_table import as_markdown, cells

pytestmark = pytest.mark.slow

BENCHMARKS = Path(peers.__file__).parent


def test_without_data_it_says_so_and_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = peers.main(["--data", str(tmp_path / "nowhere"), "--cases", "brain_t1_t2", "--methods", "ours-mind"])
    assert code == 0
    assert "nowhere" in capsys.readouterr().out.replace("\n", "")


def test_a_method_that_cannot_run_gives_its_reason() -> None:
    assert "no-such-program" in Method("peer_niftyreg.py", program="no-such-program").missing()
    assert METHODS["ours-mind"].missing() == ""


def test_measuring_sees_the_child_and_not_its_parent(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    work = "x = bytearray(150 * 2**20); sum(range(3_000_000)); raise SystemExit(3)"
    ballast = bytearray(400 * 2**20)  # held by the parent while the child runs
    done = subprocess.run([sys.executable, str(BENCHMARKS / "measured.py"), str(facts), sys.executable, "-c", work])
    assert len(ballast) and done.returncode == 3
    used = json.loads(facts.read_text())
    assert 150 < used["peak"] < 300
    assert 0 < used["cpu"] <= used["wall"] * 1.5


def test_a_method_that_fails_is_a_row_that_says_so(tmp_path: Path) -> None:
    run = run_method(METHODS["ours-mind"], tmp_path / "no.nii.gz", tmp_path / "none.nii.gz", tmp_path)
    assert run.displacement is None
    assert "exit code" in run.error
    row = {"case": "a", "method": "b", "error": run.error}
    assert cells(row)[:3] == ["a", "b", "failed"]
    assert "failed" in as_markdown([row], 1)

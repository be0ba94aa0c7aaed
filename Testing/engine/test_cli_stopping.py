"""Ctrl-C, a polite kill and a full disk leave nothing half-written, whenever they come."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from dsir.files.transforms import read_transform
from started import started

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"), pytest.mark.slow]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two blocks of smooth noise, the second shifted by two voxels, and settings that make short work of them."""
    folder = tmp_path_factory.mktemp("pair")
    noise = np.random.default_rng(0).normal(size=(9, 9, 9))
    smooth = np.kron(noise, np.ones((4, 4, 4))).astype(np.float32) + 10
    paths = folder / "fixed.nii.gz", folder / "moving.nii.gz"
    for path, values in zip(paths, (smooth, np.roll(smooth, 2, axis=0)), strict=True):
        nib.save(nib.Nifti1Image(values, np.diag([3.0, 3.0, 3.0, 1.0])), path)
    settings = {
        "spacing": 6.0,
        "linear": {"start": "identity", "model": "rigid"},
        "discrete": {"grids": [12.0], "captures": [12.0]},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    return paths


def command(pair: tuple[Path, Path], out: Path) -> list[str]:
    words = ["register", "--fixed", pair[0], "--moving", pair[1], "--out", out, "--preset", "fast", "--threads", "1"]
    return [*map(str, words), "--settings", str(pair[0].parent / "settings.json"), "--json-progress"]


def stop_at(
    fraction: float, number: signal.Signals, pair: tuple[Path, Path], out: Path
) -> tuple[int, list[str], dict[str, object]]:
    """Send a signal when the run is that far; its exit code, what it said, and the last step it told of.

    Whoever runs the tests by ``nohup`` ignores SIGHUP, and so would what they start.
    """
    with started(command(pair, out), before=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)) as run:
        step: dict[str, object] = {}
        for line in run.stdout:
            step = json.loads(line)
            if step.get("fraction", 1.0) >= fraction:
                break
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
        return run.returncode, said.splitlines(), step


@pytest.mark.parametrize(
    ("fraction", "number"),
    [(0.0, signal.SIGINT), (0.05, signal.SIGHUP), (0.4, signal.SIGTERM), (0.86, signal.SIGINT), (0.86, signal.SIGHUP)],
)
def test_ctrl_c_and_a_polite_kill_leave_the_disk_as_it_was(
    fraction: float, number: signal.Signals, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    code, said, step = stop_at(fraction, number, pair, tmp_path / "new" / "out")
    assert code == 130, (step, said)
    assert said == ["dsir: Stopped; nothing was written."]
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_result_survives_a_stopped_run(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "transform.h5").write_text("of yesterday")
    with started([*command(pair, tmp_path / "out"), "--overwrite"]) as run:
        for line in run.stdout:
            if json.loads(line).get("stage") == "writing":
                break
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
        assert run.returncode == 130
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "transform.h5").read_text() == "of yesterday"


@pytest.mark.skipif("COVERAGE_PROCESS_CONFIG" in os.environ, reason="coverage writes a file of its own, too large then")
@pytest.mark.parametrize("most", [3_000, 100_000])
def test_a_full_disk_is_one_sentence_and_nothing_half_written(
    most: int, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    small = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    with started(command(pair, tmp_path / "out"), before=small) as run:
        _, said = run.communicate(timeout=120)
        assert run.returncode == 2, said
    (sentence,) = [line for line in said.splitlines() if line.startswith("dsir: ")]
    assert "Traceback" not in said
    assert "full" in sentence or "large" in sentence, sentence
    if most == 3_000:
        assert list(tmp_path.iterdir()) == []
        return
    kept = Path(sentence.partition("What there is of the result lies in ")[2].rstrip("."))
    assert kept.parent == tmp_path / "out" and list((tmp_path / "out").iterdir()) == [kept]
    assert read_transform(kept / "transform.h5").parts  # whole, and not lost
    assert not [file.name for file in kept.iterdir() if file.name.startswith(".")]


def test_the_worker_protocol_ends_with_the_result(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with started(command(pair, tmp_path / "out")) as run:
        said, wrong = run.communicate(timeout=120)
        assert run.returncode == 0, wrong
    *steps, last = [json.loads(line) for line in said.splitlines()]
    assert all(set(step) == {"stage", "fraction", "message"} for step in steps)
    fractions = [step["fraction"] for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert last["result"] == str(tmp_path / "out")
    found = {file.name for file in (tmp_path / "out").iterdir() if not file.name.startswith(".")}
    volumes = {"jacobian.nii.gz", "warped.nii.gz"}
    transform = {"displacement.nii.gz"} if "displacement.nii.gz" in found else {"transform.tfm", "matrix.txt"}
    assert found == volumes | transform | {"transform.h5", "inverse.h5", "report.json", "report.html", "preview.png"}


def test_a_run_under_nohup_outlives_its_terminal(pair: tuple[Path, Path], tmp_path: Path) -> None:
    nohup = partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)
    with started([*command(pair, tmp_path / "out"), "--brief"], before=nohup) as run:
        run.stdout.readline()
        run.send_signal(signal.SIGHUP)
        run.communicate(timeout=120)
        assert run.returncode == 0 and (tmp_path / "out" / "report.json").is_file()


def close(*streams: int) -> None:
    """Close standard streams, as Python finds them where nobody opened them."""
    for number in streams:
        os.close(number)
        setattr(sys, ("stdin", "stdout", "stderr")[number], None)


@pytest.mark.parametrize("closed", [(2,), (1, 2), (0, 1, 2)])
def test_closed_streams_stop_nothing_and_get_into_no_file(
    closed: tuple[int, ...], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    words = [*(word for word in command(pair, tmp_path / "out") if word != "--json-progress"), "--brief"]
    with started(words, before=partial(close, *closed)) as run:
        run.communicate(timeout=120)
        assert run.returncode == 0
    assert json.loads((tmp_path / "out" / "report.json").read_text())["folds"] >= 0


def still(folder: Path) -> list[str]:
    """Points through no motion at all: the quickest of what the engine is asked for."""
    (folder / "points.csv").write_text("x,y,z\n1,2,3\n")
    sitk.WriteTransform(sitk.Euler3DTransform(), str(folder / "id.tfm"))
    return ["apply", "-t", f"{folder}/id.tfm", "--points", f"{folder}/points.csv", "-o", f"{folder}/there.csv"]


def test_a_program_that_was_begun_without_any_stream_runs() -> None:
    words = [sys.executable, "-m", "dsir", "presets"]
    run = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words], timeout=120, check=False)
    assert run.returncode == 0


def test_a_name_that_the_console_cannot_show_does_not_hide_the_result(tmp_path: Path) -> None:
    words = [*still(tmp_path)[:-1], str(tmp_path / "Läsion_β.csv")]
    run = subprocess.run(
        [sys.executable, "-m", "dsir", *words],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0 and rb"L\xe4sion_\u03b2.csv" in run.stdout and not run.stderr.count(b"broke")
    assert (tmp_path / "Läsion_β.csv").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_answer_that_cannot_be_printed_does_not_hide_the_result(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "dsir", *still(tmp_path)]
    with open("/dev/full", "w") as full:
        run = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert run.returncode == 2 and f"Result in {tmp_path / 'there.csv'}" in run.stderr
    assert "The work is done" in run.stderr and "Exception" not in run.stderr

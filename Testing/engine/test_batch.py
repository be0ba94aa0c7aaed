"""Many pairs: what is done stays done, what fails fails alone."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import phantoms
import psutil
import pytest
from batch_jobs import poison, quick
from dsir.batch import cluster, run
from dsir.batch.case_kind import PAIRS
from dsir.batch.finished import is_finished
from dsir.batch.pairs import read_pairs
from dsir.batch.run import run_batch
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.files.images import read_image, write_image, write_labels
from dsir.files.report import run_report, write_report
from dsir.geometry.image import Image
from dsir.registration.settings import RegistrationSettings
from dsir.reports.batch.page import page
from dsir.reports.batch.rows import Row, State
from dsir.workflow.pair import Pair
from started import started

pytestmark = pytest.mark.slow

SETTINGS = {
    "spacing": 6.0,
    "linear": {"start": "identity", "model": "rigid"},
    "discrete": {"grids": [12.0], "captures": [12.0]},
    "descent": {"levels": [{"scale": 1.0, "iterations": 1}]},
}


def write_scans(folder: Path, names: str, broken: str = "") -> Path:
    """A phantom for each letter, one of them damaged, and the list that pairs them with the first view."""
    lattice = phantoms.lattice_of((18, 20, 16), (7.0, 7.0, 7.0))
    fixed = phantoms.render(lattice, phantoms.dark_on_bright)
    write_image(folder / "fixed.nii.gz", fixed)
    for number, name in enumerate(names):
        write_image(folder / f"{name}.nii.gz", Image(fixed.data.roll(number, 0), lattice))
    for name in broken:
        (folder / f"{name}.nii.gz").write_bytes((folder / f"{name}.nii.gz").read_bytes()[:2000])
    write_labels(folder / "organ.nii.gz", (fixed.data > 500).int(), lattice)
    write_labels(folder / "organ_c.nii.gz", (fixed.data.roll(2, 0) > 500).int(), lattice)
    (folder / "settings.json").write_text(json.dumps(SETTINGS))
    labels = {"c": "organ.nii.gz,organ_c.nii.gz"}
    rows = [f"{name},fixed.nii.gz,{name}.nii.gz,,{labels.get(name, ',')}" for name in names]
    (folder / "pairs.csv").write_text(
        "\n".join(["name,fixed,moving,moving_mask,fixed_labels,moving_labels", *rows]) + "\n"
    )
    return folder


def words(folder: Path, *more: str) -> list[str]:
    paths = [str(folder / "pairs.csv"), "--out", str(folder / "out"), "--settings", str(folder / "settings.json")]
    return ["batch", *paths, "--preset", "fast", "--workers", "1", *more]


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "out" / "results.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def states(folder: Path) -> dict[str, str]:
    return {name: row["state"] for name, row in table(folder).items()}


def stamps(folder: Path, *names: str) -> dict[str, int]:
    return {name: (folder / "out" / name / "report.json").stat().st_mtime_ns for name in names}


def children(of: int) -> list[psutil.Process]:
    """Workers: processes started from nothing, or forked from the server that has imported everything."""
    found = psutil.Process(of).children(recursive=True)
    forked = [p for p in found if "multiprocessing.forkserver" in " ".join(p.parent().cmdline())]
    return forked + [p for p in found if "spawn_main" in " ".join(p.cmdline())]


def test_neither_a_damaged_scan_nor_a_killed_worker_stops_the_others_and_nothing_is_done_twice(
    tmp_path: Path, scheduler: str
) -> None:
    folder = write_scans(tmp_path, "abc", broken="b")
    killed, said = [], []

    def progress(stage: str, fraction: float, message: str) -> None:
        said.append(message)
        if stage == "a":
            (worker,) = children(os.getpid())
            worker.kill()
            killed.append(worker.pid)

    settings = RegistrationSettings.from_json({**SETTINGS, "preset": "fast", "descriptor": "mind", "threads": 1})
    rows = run_batch(read_pairs(folder / "pairs.csv"), folder / "out", settings, workers=1, progress=progress)
    assert killed
    assert not children(os.getpid())
    assert [(row.name, row.state) for row in rows] == [("a", "done"), ("b", "failed"), ("c", "done")]
    assert any("of 3, about" in message and "left" in message for message in said)
    assert states(folder) == {"a": "done", "b": "failed", "c": "done"}
    assert "damaged" in table(folder)["b"]["error"]
    assert float(table(folder)["a"]["similarity_end"]) > 0.9
    assert table(folder)["a"]["dice_end"] == ""
    assert float(table(folder)["c"]["dice_end"]) > float(table(folder)["c"]["dice_start"]) + 0.2
    page = (folder / "out" / "results.html").read_text()
    assert ">Dice</span></th>" in page
    assert (
        page.count("<img") == page.count('<a href="a/report.html">') + page.count('<a href="c/report.html">') - 2 == 2
    )
    assert page.index("b.nii.gz is damaged") < page.index('alt="a"')  # what needs a person comes first
    assert not list((folder / "out").rglob(".*.part"))

    first = stamps(folder, "a", "c")
    write_scans(tmp_path, "abc")  # the same voxels again for a, and a whole b
    changed = read_image(folder / "c.nii.gz")
    write_image(folder / "c.nii.gz", Image(changed.data + 1, changed.lattice))
    assert main(words(folder, "--threads", "1", "--scheduler", scheduler)) == 0  # whose worker has imported all of it
    assert states(folder) == {"a": "kept", "b": "done", "c": "done"}
    assert stamps(folder, "a") == {"a": first["a"]}
    assert stamps(folder, "c")["c"] > first["c"]


def test_the_exit_code_tells_whether_every_pair_has_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_scans(tmp_path, "ab")
    monkeypatch.setattr(run, "_work", lambda todo, *_: [("a", ""), ("b", "It would not.")])
    assert main(words(folder)) == 2
    assert "1 pair registered, 0 kept, 1 failed: b; why is in" in capsys.readouterr().err
    assert main(words(folder, "--exit-zero", "--json-progress")) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(row["name"], row["state"], row["error"]) for row in last["pairs"]] == [
        ("a", "done", ""),
        ("b", "failed", "It would not."),
    ]


def test_other_settings_make_another_result(tmp_path: Path) -> None:
    folder = write_scans(tmp_path, "a")
    pair = read_pairs(folder / "pairs.csv")["a"]
    settings = RegistrationSettings(spacing=1 / 3)
    (tmp_path / "a").mkdir()
    report = run_report("register", inputs=pair.files, settings=settings.to_json(), facts={})
    write_report(tmp_path / "a" / "report.json", report)
    assert is_finished(tmp_path / "a", pair, settings)
    assert is_finished(tmp_path / "a", pair, RegistrationSettings(spacing=1 / 3, threads=7, device="cpu"))
    assert not is_finished(tmp_path / "a", pair, RegistrationSettings(spacing=1 / 3, seed=1))
    assert not is_finished(tmp_path / "a", Pair(pair.fixed, pair.moving, moving_mask=pair.fixed), settings)
    assert not is_finished(tmp_path / "elsewhere", pair, settings)
    (tmp_path / "a" / "report.json").write_text(json.dumps({**report, "settings": {"spacing": 0.333333}}))
    assert is_finished(tmp_path / "a", pair, settings)  # of an older version, which knew fewer settings
    (tmp_path / "a" / "report.json").write_text(json.dumps({**report, "settings": {"of another": 1}}))
    assert not is_finished(tmp_path / "a", pair, settings)
    (tmp_path / "a" / "report.json").write_text(json.dumps(report))
    pair.moving.unlink()
    assert not is_finished(tmp_path / "a", pair, settings)


def test_a_pair_that_kills_its_workers_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "DEATHS", 0)
    pairs = {name: Pair(tmp_path / "f", tmp_path / "m") for name in ("poison", "a", "b")}
    rows = {row.name: row for row in run_batch(pairs, tmp_path / "out", kind=replace(PAIRS, job=poison), workers=1)}
    assert {name: row.state for name, row in rows.items()} == {"poison": "failed", "a": "done", "b": "done"}
    assert "memory" in rows["poison"].error


def stopped(folder: Path, stage: str, *, after: float = 0.0) -> list[psutil.Process]:
    """Ctrl-C in a batch, so many seconds after it tells of a stage, is one sentence; gives the workers there were."""
    with started(words(folder, "--threads", "1", "--json-progress"), before=os.setsid) as batch:
        for line in batch.stdout:
            if json.loads(line)["stage"] == stage:
                break
        time.sleep(after)
        workers = children(batch.pid)
        os.killpg(batch.pid, signal.SIGINT)  # as a terminal does: everybody gets it
        _, said = batch.communicate(timeout=60)
        assert batch.returncode == 130, said
    assert said.splitlines() == ["dsir: Stopped; finished cases stay, and the same command goes on with the others."]
    return workers


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_keeps_what_is_done_and_leaves_nobody_behind(tmp_path: Path) -> None:
    folder = write_scans(tmp_path, "abcde")
    workers = stopped(folder, "a")
    assert workers
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    found = states(folder)
    assert found["a"] == "done"
    assert found["e"] == "left"
    assert not list((folder / "out").rglob(".*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_while_workers_start_is_one_sentence(tmp_path: Path) -> None:
    stopped(write_scans(tmp_path, "a"), "workers", after=1.0)  # the cluster is half there


@pytest.fixture
def scheduler() -> str:
    """One worker in this very process: three threads and one GPU, or so it says."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=3,
        processes=False,
        dashboard_address=None,
        resources={"GPU": 1},
        protocol="tcp",
        host="127.0.0.1",
    ) as found:
        yield found.scheduler_address


def test_pairs_take_turns_on_a_gpu_of_any_scheduler(tmp_path: Path, scheduler: str) -> None:
    kind = replace(PAIRS, job=quick)

    def overlaps(device: str) -> bool:
        pairs = {f"{device}{number}": Pair(tmp_path / "f", tmp_path / "m") for number in range(4)}
        run_batch(pairs, tmp_path / "out", RegistrationSettings(device=device), kind=kind, scheduler=scheduler)
        spans = sorted(
            (report["began"], report["ended"])
            for report in (json.loads((tmp_path / "out" / name / "report.json").read_text()) for name in pairs)
        )
        return any(next_began < ended for (_, ended), (next_began, _) in pairwise(spans))

    assert not overlaps("auto")
    assert not overlaps("cuda")
    assert overlaps("cpu")


def test_local_gpu_workers_see_one_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in cluster.worker_options(3, gpus=2)] == ["0", "1"]
    assert all(options["resources"] == {"GPU": 1} for options in cluster.worker_options(1, gpus=2))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in cluster.worker_options(2, gpus=2)] == ["3", "5"]
    assert ["resources" in options for options in cluster.worker_options(3, gpus=0)] == [False] * 3
    assert cluster.sensible_workers(10, gpus=2) == 2
    assert cluster.sensible_workers(1, gpus=0) == 1


def test_what_stops_the_whole_batch_is_said_before_the_work(
    tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    pairs = {"a": Pair(tmp_path / "f", tmp_path / "m")}
    monkeypatch.setattr(cluster, "PATIENCE", 0.3)
    with pytest.raises(DsirError, match="No Dask scheduler answers"):
        run_batch(pairs, tmp_path / "out", scheduler="tcp://127.0.0.1:1")
    with FileLock(tmp_path / "out" / run.LOCK), pytest.raises(DsirError, match="Another batch works in"):
        run_batch(pairs, tmp_path / "out")
    with pytest.raises(DsirError, match="cannot name a folder"):
        run_batch({"../a": pairs["a"]}, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(DsirError, match="cannot be written"):
        run_batch(pairs, tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,fixed\na,b\n", "has no column moving"),
        ("name,fixed,moving,mask\na,b,c,d\n", "'mask' that nothing reads"),
        ("name,fixed,moving\n", "lists no pairs"),
        ("name,fixed,moving\na,b,\n", "line 2: says no moving"),
        ("name,fixed,moving\na,b,c,d\n", "more cells"),
        ("name,fixed,moving\na,b,c\nA,b,c\n", "line 3: the name 'A' is there twice"),
        ("name,fixed,moving\n../a,b,c\n", "cannot name a folder"),
        ("name,fixed,moving\nresults.csv,b,c\n", "cannot name a folder"),
        ("name,fixed,moving\n.a,b,c\n", "cannot name a folder"),
    ],
)
def test_a_wrong_list_is_one_sentence(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(DsirError, match=expected):
        read_pairs(tmp_path / "pairs.csv")


def test_paths_are_relative_to_the_list(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("﻿name, fixed, moving, initial\nOne pair, scans/a.nii, /data/b.nii,\n")
    pairs = read_pairs(tmp_path / "pairs.csv")
    assert pairs == {"One pair": Pair(tmp_path / "scans" / "a.nii", Path("/data/b.nii"))}


def test_time_left_is_said_as_a_person_would() -> None:
    assert [run.duration(seconds) for seconds in (7.4, 89, 600, 12_000)] == ["7 s", "89 s", "10 min", "3 h 20 min"]


def test_the_page_has_the_bad_verdicts_first_and_leads_to_each_pairs_own_page(tmp_path: Path) -> None:
    for name in ("good", "bad & <odd>"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.html").touch()
    verdicts = {"good": "PASS", "bare": "CHECK", "bad & <odd>": "FAIL"}
    rows = [Row(name, State.DONE, verdict=verdict, folder=str(tmp_path / name)) for name, verdict in verdicts.items()]
    text = page([*rows, Row("gone", State.FAILED, error="It was <not> found.")])
    names = re.findall(r"<b>([^<]*)</b>", text)
    assert names == ["gone", "bad &amp; &lt;odd&gt;", "bare", "good"]
    assert re.findall(r'href="([^"]*)"', text) == ["bad%20%26%20%3Codd%3E/report.html", "good/report.html"]
    assert "It was &lt;not&gt; found." in text and "1 FAIL</span>" in text


def test_workers_share_what_others_leave_of_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dask.system.CPU_COUNT", 16)
    monkeypatch.setattr(cluster, "sensible_threads", lambda: 8)
    monkeypatch.setattr(cluster.sys, "platform", "linux")
    assert [cluster.threads_each(workers) for workers in (1, 2, 4, 16)] == [0, 4, 2, 1]

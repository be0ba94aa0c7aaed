"""Many patients, two studies each: found, planned, killed, gone on with."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pydicom
import pytest
from dsir.batch import run
from dsir.batch.live_table import LiveTable
from dsir.batch.run import run_batch
from dsir.batch.studies import find_studies
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.reports.batch.rows import Row, State
from dsir.workflow.pair import Pair
from started import started
from studies_made import COARSE, QUICK, make_studies


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def study(folder: Path, date: str) -> Path:
    """A file that tells its date, as far as finding goes."""
    folder.mkdir(parents=True)
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.StudyDate = "1.2.840.10008.5.1.4.1.1.2", "1.2.3", date
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    (folder / "0_notes.txt").write_text("no DICOM")
    dataset.save_as(folder / "ct.dcm", enforce_file_format=True)
    return folder


def test_the_new_study_is_known_by_its_name_or_its_date(tmp_path: Path) -> None:
    study(tmp_path / "named" / "old", "20260101"), study(tmp_path / "named" / "New", "20250101")
    study(tmp_path / "dated" / "a", "20260301"), study(tmp_path / "dated" / "b", "20250301")
    study(tmp_path / "alike" / "a", "20260301"), study(tmp_path / "alike" / "b", "20260301")
    (
        study(tmp_path / "three" / "a", "20260301"),
        study(tmp_path / "three" / "b" / "c", ""),
        study(tmp_path / "three" / "d", ""),
    )
    found = find_studies(tmp_path)
    assert found["named"].fixed.name == "New" and found["named"].moving.name == "old"
    assert found["dated"].fixed.name == "a" and found["dated"].moving.name == "b"
    assert "they have no two dates; call the folders new and old" in found["alike"].refused
    assert "holds 3 folders instead of two studies" in found["three"].refused
    assert [name for name, one in found.items() if not one.refused] == ["dated", "named"]


def test_a_list_says_it_too(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("name, moving_study, fixed_study\nA B, one/old, /data/new\n")
    (one,) = find_studies(tmp_path / "list.csv").values()
    assert (one.fixed, one.moving) == (Path("/data/new"), tmp_path / "one" / "old")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,fixed\na,b\n", "those needed are name, fixed_study, moving_study"),
        ("name,fixed_study,moving_study\na,b,\n", "line 2: give one name, one fixed study and one moving study"),
        ("name,fixed_study,moving_study\n", "holds no patients"),
        ("name,fixed_study,moving_study\na,b,c\nA,b,c\n", "line 3: the name 'A' is there twice"),
        ("name,fixed_study,moving_study\nresults.csv,b,c\n", "cannot name a folder"),
    ],
)
def test_a_wrong_list_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DsirError, match=said):
        find_studies(tmp_path / "list.csv")


def test_what_cannot_be_asked_is_said_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    for words, said in (
        ([], "either PAIRS.csv or --studies"),
        (["pairs.csv", "--studies", str(empty)], "either PAIRS.csv or --studies"),
        (["pairs.csv", "--even-if-failed"], "belongs to --studies"),
        (["--studies", str(empty)], "holds no folders of patients"),
        (["--studies", str(tmp_path / "none")], "does not exist"),
    ):
        assert main(["batch", *words, "--out", str(out)]) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()
    assert main(["batch", "pairs.csv", "--pseudonyms", "--out", str(out)]) == 2
    assert "--pseudonyms belongs to --studies" in capsys.readouterr().err


def test_the_table_grows_while_the_batch_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def work(todo, out, *_):
        for name in todo:
            seen.append([row["state"] for row in table(out).values()])
            yield name, "It would not."

    monkeypatch.setattr(run, "_work", work)
    run_batch({name: Pair(tmp_path / "f", tmp_path / "m") for name in "abc"}, tmp_path / "out")
    assert seen == [["left"] * 3, ["failed", "left", "left"], ["failed", "failed", "left"]]


def test_a_page_that_takes_long_waits_for_its_turn_and_the_last_one_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 2.0, 30.0, 50.0, 51.0])
    monkeypatch.setattr("dsir.batch.live_table.time.monotonic", lambda: next(clock))
    grown = LiveTable(tmp_path)

    def shown(count: int, **options: bool) -> int:
        grown.write([Row(f"case {n}", State.DONE) for n in range(count)], **options)
        assert len(table(tmp_path)) == count
        return (tmp_path / "results.html").read_text().count("<b>case ")

    assert shown(1) == 1  # took 2 s, so the next one is due 38 s later
    assert shown(2) == 1
    assert shown(3, last=True) == 3


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients; the second one's studies are of two persons."""
    root = tmp_path_factory.mktemp("root")
    make_studies(root / "patients" / "a", COARSE)
    for name in "bc":
        shutil.copytree(root / "patients" / "a", root / "patients" / name)
    for file in (root / "patients" / "b" / "old").rglob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.PatientID = "SOMEBODY-ELSE"
        dataset.save_as(file)
    (root / "settings.json").write_text(json.dumps(QUICK))
    return root


@pytest.mark.slow
def test_a_dry_run_says_what_would_be_done_and_who_cannot_be_planned(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", "--studies", str(root / "patients"), "--out", str(tmp_path / "out"), "--dry-run"]) == 2
    said = capsys.readouterr().out
    assert said.count("rs_last.dcm") == 2 and said.count("ct_ct") == 2
    assert "b\n  cannot be planned: " in said and "different persons" in said
    assert "3 patients, 1 of them cannot be planned" in said and not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_killed_batch_goes_on_and_does_nothing_twice(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["batch", "--studies", str(root / "patients"), "--out", str(out), "--workers", "1", "--threads", "1"]
    words += ["--settings", str(root / "settings.json"), "--pseudonyms"]
    with started([*words, "--json-progress"], before=os.setsid) as batch:
        for line in batch.stdout:
            if json.loads(line)["stage"] == "a":
                break
        os.killpg(batch.pid, signal.SIGKILL)  # nobody has time for last words
    found = table(out)
    assert found["a"]["state"] == "done" and found["c"]["state"] == "left"
    assert found["a"]["preset"] == "ct_ct" and found["a"]["contours"].startswith("contours: ")
    assert 'href="a/report.html"' in (out / "results.html").read_text()
    first = (out / "a" / "plan.json").stat().st_mtime_ns

    assert main(words) == 2
    found = table(out)
    assert {name: row["state"] for name, row in found.items()} == {"a": "kept", "b": "failed", "c": "done"}
    assert "different persons" in found["b"]["error"]
    assert (out / "a" / "plan.json").stat().st_mtime_ns == first
    assert (out / "c" / "structures.dcm").is_file() and not (out / "b").exists()
    for name in "ac":
        written = [pydicom.dcmread(file) for file in (out / name).rglob("*.dcm")]
        assert len(written) > 3 and {str(one.PatientID) for one in written} == {name}
        assert {str(one.PatientName) for one in written} == {name}
    assert not list(out.rglob(".*.part"))

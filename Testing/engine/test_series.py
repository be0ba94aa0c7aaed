"""Several moving scans: a folder each, one table, and each begun from its neighbour where that is asked for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import phantoms
import pytest
from dicom_made import make_series
from dsir.batch import series
from dsir.batch.series import names
from dsir.cli.main import main
from dsir.errors import Cancelled, DsirError
from dsir.files.images import write_image
from dsir.files.transforms import read_transform
from dsir.geometry.image import Image

pytestmark = pytest.mark.slow

SETTINGS = {
    "spacing": 7.0,
    "descriptor": "mind",
    "linear": {"start": "identity", "model": "translation"},
    "discrete": {"grids": [14.0], "captures": [14.0]},
    "descent": {"levels": [{"scale": 1.0, "iterations": 2}]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One view, and the same shifted by 7 and 14 mm."""
    lattice = phantoms.lattice_of((18, 20, 16), (7.0, 7.0, 7.0))
    fixed = phantoms.render(lattice, phantoms.dark_on_bright)
    write_image(tmp_path / "fixed.nii.gz", fixed)
    for number, name in enumerate(("week 1", "week 2")):
        (tmp_path / name).mkdir()
        write_image(tmp_path / name / "cbct.nii.gz", Image(fixed.data.roll(number + 1, 0), lattice))
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    return tmp_path


def words(folder: Path, *more: str, scans: tuple[str, ...] = ("week 1", "week 2")) -> list[str]:
    moving = [str(folder / name / "cbct.nii.gz") for name in scans]
    paths = ["--fixed", str(folder / "fixed.nii.gz"), "--moving", *moving, "--out", str(folder / "out")]
    return ["register", *paths, "--settings", str(folder / "settings.json"), "--brief", "--quiet", *more]


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "out" / "results.csv").open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_each_scan_has_its_folder_and_all_have_one_table(folder: Path) -> None:
    assert main(words(folder)) == 0
    rows = table(folder)
    assert list(rows) == ["week 1-cbct", "week 2-cbct"]
    for number, (name, row) in enumerate(rows.items(), start=1):
        assert Path(row["folder"]) == (folder / "out" / name).resolve() and row["start"] == ""
        shift = read_transform(folder / "out" / name / "transform.h5").transform_points([[0.0, 0.0, 0.0]])[0]
        assert abs(shift[0]) == pytest.approx(7.0 * number, abs=1.0)
        report = json.loads((folder / "out" / name / "report.json").read_text())
        assert "initial" not in report["inputs"] and "cbct.nii.gz" in report["command_line"]
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "2 scans onto fixed.nii.gz" in page and "each afresh" in page and "begun from" not in page
    assert page.index("<b>week 1-cbct") < page.index("<b>week 2-cbct")
    whole = json.loads((folder / "out" / "report.json").read_text())
    assert [scan["folder"] for scan in whole["scans"]] == list(rows) and not whole["chained"]
    assert str(folder) not in json.dumps(whole) + page
    assert not list(folder.rglob("*.part"))


def test_a_chained_scan_begins_where_its_neighbour_ended(folder: Path) -> None:
    assert main(words(folder, "--chain")) == 0
    rows = table(folder)
    assert [row["start"] for row in rows.values()] == ["", "week 1-cbct"]
    report = json.loads((folder / "out" / "week 2-cbct" / "report.json").read_text())
    first = json.loads((folder / "out" / "week 1-cbct" / "report.json").read_text())
    assert "initial" in report["inputs"]
    shift = read_transform(folder / "out" / "week 2-cbct" / "transform.h5").transform_points([[0.0, 0.0, 0.0]])[0]
    assert abs(shift[0]) == pytest.approx(14.0, abs=1.0)
    assert "initial" not in first["inputs"]
    assert "begun from week 1-cbct" in (folder / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("preset", "chained"), [("lung_4dct", True), ("ct_cbct", False)])
def test_phases_of_a_breath_are_chained_by_themselves(
    folder: Path, preset: str, chained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "register_pair", pretended())
    assert main(words(folder, "--preset", preset)) == 0
    assert [row["start"] for row in table(folder).values()] == ["", "week 1-cbct" if chained else ""]


def test_a_chained_result_that_fails_is_done_again_afresh_and_no_neighbour(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verdict(name: str, chained: bool) -> str:
        return "FAIL" if name == "b" or chained else "PASS"

    began: list[tuple[str, str]] = []
    monkeypatch.setattr(series, "register_pair", pretended(verdict, began))
    for name in "abc":
        (folder / f"{name}.nii.gz").touch()
    moving = [str(folder / f"{name}.nii.gz") for name in "abc"]
    out = ["--out", str(folder / "out"), "--chain", "--quiet"]
    assert main(["register", "--fixed", str(folder / "fixed.nii.gz"), "--moving", *moving, *out]) == 0
    assert began == [("a", ""), ("b", "a"), ("b", ""), ("c", "a"), ("c", "")]
    assert [(row["verdict"], row["start"]) for row in table(folder).values()] == [
        ("PASS", ""),
        ("FAIL", ""),
        ("PASS", ""),
    ]


def pretended(verdict=lambda name, chained: "PASS", began: list | None = None):
    """Writes the report and the transform of a registration that nobody did."""

    def register_pair(pair, settings, out, **_):
        name, start = Path(out).name, pair.initial.parent.name if pair.initial else ""
        if began is not None:
            began.append((name, start))
        Path(out).mkdir(exist_ok=True)
        report = {"verdict": {"level": verdict(name, bool(start)), "reasons": []}, "folds": 0}
        (Path(out) / "report.json").write_text(json.dumps(report))
        (Path(out) / "transform.h5").touch()

    return register_pair


def test_a_damaged_scan_is_a_row_and_the_others_are_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "week 1" / "cbct.nii.gz").write_bytes(b"no image")
    assert main(words(folder)) == 2
    assert "1 scans registered, 1 failed: week 1-cbct; why is in" in capsys.readouterr().err
    assert [row["state"] for row in table(folder).values()] == ["failed", "done"]
    assert not (folder / "out" / "week 1-cbct").exists()


def test_each_scan_of_a_dicom_series_gets_its_registration_object(tmp_path: Path) -> None:
    grid = phantoms.lattice_of((18, 20, 16), (7.0, 7.0, 7.0))
    for number, name in enumerate(("planning", "week 1", "week 2")):
        away = np.array([7.0 * number, 0, 0])
        make_series(tmp_path / name, grid, values=lambda world, away=away: phantoms.dark_on_bright(world - away) - 1000)
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    write_image(tmp_path / "no dicom.nii.gz", phantoms.render(grid, phantoms.dark_on_bright))
    moving = [str(tmp_path / name) for name in ("week 1", "week 2", "no dicom.nii.gz")]
    asked = ["register", "--fixed", str(tmp_path / "planning"), "--moving", *moving, "--out", str(tmp_path / "out")]
    asked += ["--settings", str(tmp_path / "settings.json"), "--brief", "--quiet", "--dicom-reg", "reg.dcm"]
    assert main(asked) == 2
    for number, name in enumerate(("week 1", "week 2"), start=1):
        (there,) = read_transform(tmp_path / "out" / name / "reg.dcm").transform_points([[0.0, 0.0, 0.0]])
        assert np.abs(there - [7.0 * number, 0, 0]).max() < 1.0
    assert "needs two DICOM series" in table(tmp_path)["no dicom"]["error"]
    assert not (tmp_path / "out" / "no dicom").exists()


def test_a_stopped_series_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_, **__) -> None:
        raise Cancelled("enough")

    monkeypatch.setattr(series, "register_pair", stop)
    assert main(words(folder)) == 130
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--initial", "t.h5"], "--initial belongs to one moving scan, and there are 2; see dsir batch"),
        (["--dicom-reg", "there/r.dcm"], "--dicom-reg is the name of a file in each scan's folder"),
        (["--dicom-reg", "r.h5"], "--dicom-reg is the name of a file in each scan's folder"),
    ],
)
def test_what_speaks_of_one_scan_is_refused(
    folder: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(folder, *more)) == 2
    assert said in capsys.readouterr().err and not (folder / "out").exists()


def test_other_refusals(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(folder, "--chain", scans=("week 1",))) == 2
    assert "give several scans to --moving" in capsys.readouterr().err
    assert main(words(folder, scans=("week 1", "week 1"))) == 2
    assert "is there twice" in capsys.readouterr().err
    (folder / "out").mkdir()
    (folder / "out" / "mine.txt").touch()
    assert main(words(folder)) == 2
    assert "holds files already" in capsys.readouterr().err
    assert [p.name for p in (folder / "out").iterdir()] == ["mine.txt"]


def test_names_take_as_little_of_the_path_as_tells_scans_apart() -> None:
    assert names([Path("a/00.nii.gz"), Path("a/10.nii.gz")]) == ["00", "10"]
    assert names([Path("w1/x"), Path("w2/x"), Path("w2/y")]) == ["w1-x", "w2-x", "w2-y"]
    with pytest.raises(DsirError, match="another's but for the suffix"):
        names([Path("a/x.nii"), Path("a/x.mha")])
    with pytest.raises(DsirError, match="cannot name a folder"):
        names([Path("a/#"), Path("a/b")])

"""Nothing that a run reads is written over or removed, whatever may be replaced."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dsir.cli.main import main
from dsir.errors import DsirError, OutputError
from dsir.files.atomic import complete_file
from dsir.files.inputs import sparing
from dsir.files.output_folder import OutputFolder, check_output_folder, where_kept
from dsir.files.transforms import write_transform
from dsir.transforms.composite import Transform


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).random((8, 8, 8), dtype=np.float32)
    for name in ("fixed", "moving"):
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii.gz")
    (tmp_path / "points.csv").write_text("x,y,z\n1,2,3\n")
    write_transform(tmp_path / "t.tfm", Transform())
    return tmp_path


def apply(folder: Path, out: Path, *more: str) -> int:
    given = ("--image", str(folder / "moving.nii.gz"), "--reference", str(folder / "fixed.nii.gz"))
    return main(["apply", "-t", str(folder / "t.tfm"), *given, "-o", str(out), "--overwrite", "--quiet", *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["moving.nii.gz", "fixed.nii.gz", "t.tfm", "link.nii.gz"])
def test_no_input_is_written_over(scans: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (scans / "link.nii.gz").symlink_to(scans / "fixed.nii.gz")
    before = contents(scans)
    assert apply(scans, scans / name) == 2
    assert "is an input" in capsys.readouterr().err and contents(scans) == before


def test_several_results_spare_inputs_of_the_same_names(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(scans)
    assert apply(scans, scans, "--points", str(scans / "points.csv")) == 2
    assert "is an input" in capsys.readouterr().err and contents(scans) == before


def test_an_earlier_result_that_is_read_now_is_not_cleared_away(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "r") as folder:
        (folder.path / "warped.nii.gz").write_text("earlier")
    with sparing([tmp_path / "r" / "warped.nii.gz"]):
        with pytest.raises(OutputError, match=r"holds the input warped\.nii\.gz"):
            check_output_folder(tmp_path / "r", overwrite=True)
        check_output_folder(tmp_path / "other")
    check_output_folder(tmp_path / "r", overwrite=True)


def test_a_result_whose_name_is_an_input_s_is_kept_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "warped.nii.gz").write_text("scan")
    with (
        sparing([tmp_path / "warped.nii.gz"]),
        pytest.raises(OutputError, match="is an input") as said,
        OutputFolder(tmp_path, overwrite=True) as folder,
    ):
        (folder.path / "warped.nii.gz").write_text("result")
    assert (tmp_path / "warped.nii.gz").read_text() == "scan"
    assert "unfinished-result" in where_kept(said.value)


def test_only_what_this_run_reads_is_an_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1")
    with (
        sparing([tmp_path / "a.txt"]),
        pytest.raises(DsirError, match="is an input"),
        complete_file(tmp_path / "a.txt"),
    ):
        pass
    with complete_file(tmp_path / "a.txt") as path:
        path.write_text("2")
    assert (tmp_path / "a.txt").read_text() == "2"


def test_the_home_folder_s_sign_is_told_where_no_shell_tells_it(
    scans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(scans))
    monkeypatch.chdir(scans)
    assert apply(scans, Path("~/x.nii.gz")) == 0
    assert (scans / "x.nii.gz").is_file() and not (scans / "~").exists()
    assert apply(scans, Path("~nobody-of-that-name/x.nii.gz")) == 2
    assert "whose home folder" in capsys.readouterr().err


def test_a_file_in_the_place_of_a_folder_is_named(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert apply(scans, scans / "points.csv" / "x.nii.gz") == 2
    assert "points.csv is a file, no folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.nii.gz", "x.mrk.json", "x.fcsv", "x"])
def test_points_get_no_name_of_another_kind(scans: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["apply", "-t", str(scans / "t.tfm"), "--points", str(scans / "points.csv"), "-o", str(scans / name)]
    assert main(given) == 2
    assert "must end in .csv" in capsys.readouterr().err and not (scans / name).exists()

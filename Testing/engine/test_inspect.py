"""``dsir inspect`` tells what a folder or a file holds, and no names of patients."""

from __future__ import annotations

from pathlib import Path

import dicom_made
import numpy as np
import pytest
from dsir.cli.main import main
from dsir.files.displacements import write_displacement_nifti
from dsir.files.report import write_report
from dsir.geometry.lattice import Lattice
from grids import field_of

GRID = Lattice((14, 12, 9), np.diag([2.0, 2.5, 3.0, 1.0]) @ np.diag([-1.0, -1.0, 1.0, 1.0]))


def test_inspect_knows_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reason = {"level": "CHECK", "code": "x", "text": "The scans hardly overlap.", "values": {}}
    report = {"command": "register", "versions": {"dsir": "1.2"}, "inputs": {"fixed": {"name": "ct.nii.gz"}},
              "verdict": {"level": "CHECK", "reasons": [reason]}, "folds": 3, "warnings": ["Look here."],
              "jacobian": {"p1": 0.8, "p99": 1.3, "smallest": 0.5, "largest": 2.0}}  # fmt: skip
    write_report(tmp_path / "report.json", report)
    assert main(["inspect", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for words in ("dsir register (dsir 1.2)", "fixed: ct.nii.gz", "CHECK: look before", "hardly overlap",
                  "×0.80 to ×1.30", "Folded voxels: 3", "Warning: Look here.", "Files: report.json"):  # fmt: skip
        assert words in printed


def test_inspect_knows_a_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_displacement_nifti(tmp_path / "u.nii.gz", field_of(Lattice((6, 5, 4), np.eye(4))))
    assert main(["inspect", str(tmp_path / "u.nii.gz")]) == 0
    assert "displacement field: 6 x 5 x 4 voxels of 1 x 1 x 1 mm" in capsys.readouterr().out


def test_inspect_knows_a_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.csv").write_text("name,state,error\none,done,\ntwo,failed,gone\n")
    (tmp_path / "results.html").touch()
    assert main(["inspect", str(tmp_path)]) == 0
    assert "one: done\ntwo: failed\n" in capsys.readouterr().out


def test_inspect_shows_series_and_other_objects_without_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ct = dicom_made.make_series(tmp_path / "ct", GRID)
    dicom_made.make_rtstruct(ct / "rs.dcm", GRID, {"a": dicom_made.ball(GRID, GRID.centre, 6)}, frame="1.2")
    assert main(["inspect", str(ct)]) == 0
    said = capsys.readouterr().out
    assert "9 slices" in said and "14 x 12 x 9 voxels of 2 x 2.5 x 3 mm" in said and "RTSTRUCT" in said
    assert "Secret" not in said and "ID-4711" not in said

"""Two registrations of one pair, and where they differ."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from dsir.cli.main import main
from dsir.files.images import write_image, write_labels
from dsir.files.transforms import write_transform
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from dsir.workflow.compare import compare
from phantoms import dark_on_bright, lattice_of, render

GRID = lattice_of()


def shifted(x: float, y: float, z: float) -> Transform:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return Transform((Linear(matrix),))


def turned() -> Transform:
    """About the third axis by 0.1 rad: the distance grows with the distance from the axis."""
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    return Transform((Linear(matrix),))


def halves() -> torch.Tensor:
    labels = torch.zeros(GRID.shape, dtype=torch.int32)
    labels[22:, 20:30, 15:25] = 3
    labels[:2, :2, :2] = 9
    return labels


def test_a_known_difference_is_measured_in_every_region() -> None:
    found = compare(shifted(1, 0, 0), shifted(4, 0, -4), render(GRID, dark_on_bright), (halves(), GRID), {3: "kidney"})
    assert [region.name for region in found.regions] == ["body", "kidney", "label 9"]
    for region in found.regions:
        assert (region.mean, region.p95, region.largest) == pytest.approx((5.0, 5.0, 5.0), abs=1e-4)
        assert region.systematic == pytest.approx((3, 0, -4), abs=1e-4)
    assert found.regions[1].voxels == 22 * 10 * 10


def test_a_turn_differs_more_far_from_its_axis() -> None:
    found = compare(Transform(), turned(), render(GRID, dark_on_bright))
    world = GRID.to_world(np.array([40.0, 25.0, 20.0]))
    assert float(found.length.data[40, 25, 20]) == pytest.approx(2 * np.sin(0.05) * np.hypot(*world[:2]), rel=1e-3)


def test_the_command_prints_a_table_and_writes_picture_and_page(tmp_path: Path, capsys) -> None:
    write_image(tmp_path / "fixed.nii.gz", render(GRID, dark_on_bright))
    write_labels(tmp_path / "labels.nii.gz", halves(), GRID)
    (tmp_path / "names.csv").write_text("value,name\n3,kidney\n")
    write_transform(tmp_path / "a.tfm", shifted(0, 0, 0))
    write_transform(tmp_path / "b.tfm", shifted(0, 2, 0))
    words = ["compare", str(tmp_path / "a.tfm"), str(tmp_path / "b.tfm"), "--fixed", str(tmp_path / "fixed.nii.gz")]
    words += ["--labels", str(tmp_path / "labels.nii.gz"), "--names", str(tmp_path / "names.csv")]
    assert main([*words, "-o", str(tmp_path / "out"), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "kidney" in said and "2.00" in said and "+2.0" in said
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["regions"][1]["mean_mm"] == pytest.approx(2.0)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "kidney" in page and "data:image/png" in page and "<script" not in page
    assert (tmp_path / "out" / "difference.nii.gz").exists()


def test_without_a_fixed_scan_it_says_what_is_missing(tmp_path: Path, capsys) -> None:
    write_transform(tmp_path / "a.tfm", shifted(0, 0, 0))
    assert main(["compare", str(tmp_path / "a.tfm"), str(tmp_path / "a.tfm")]) != 0
    assert "Give --fixed" in capsys.readouterr().err
    write_image(tmp_path / "fixed.nii.gz", render(GRID, dark_on_bright))
    words = ["compare", str(tmp_path / "a.tfm"), str(tmp_path), "--fixed", str(tmp_path / "fixed.nii.gz")]
    assert main(words) != 0 and "holds no transform.h5" in capsys.readouterr().err

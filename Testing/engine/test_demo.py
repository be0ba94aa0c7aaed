"""``dsir demo`` on a small pair in the place of the brain: what it says, what it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dsir.cli.main import main
from dsir.evaluation import demo, mutual_information_peer
from dsir.evaluation.cases import Case, known_case
from dsir.evaluation.deformation import DeformationSettings
from dsir.files.transforms import read_field, read_transform
from dsir.metrics.overlap import end_point_error
from dsir.similarity.random_contrast import random_contrast
from test_cases_scoring import textured_ball

pytestmark = pytest.mark.slow


def small_case(*, seed: int, rotation: float, translation: float) -> Case:
    """A textured ball and its partner in another contrast; bent, and a tenth as far apart as the brain."""
    image, body = textured_ball()
    motion = DeformationSettings(amplitude=5.0, rotation=rotation / 10, translation=translation / 10)
    return known_case("ball", image, random_contrast(image, body, seed=1), body, deformation=motion, seed=seed)


def test_the_demo_says_how_far_each_way_ends_from_the_truth_and_leaves_the_pair_and_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "demo_case", small_case)
    monkeypatch.setattr(mutual_information_peer, "MESH", 2)  # cells of the B-spline: the brain has room for more
    assert main(["demo", "--out", str(tmp_path / "out"), "--preset", "fast", "--json-progress"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    errors = {name: found["mean"] for name, found in last["errors"].items()}
    assert list(errors) == ["before", "mutual information", "dsir"]
    assert errors["dsir"] < 0.6 * errors["before"]
    assert last["verdict"]["level"] in ("PASS", "CHECK", "FAIL")
    out = tmp_path / "out"
    assert {"report.html", "preview.png", "transform.h5"} <= {file.name for file in (out / "result").iterdir()}
    truth, found = read_field(out / "truth.nii.gz"), read_transform(out / "result" / "transform.h5")
    mask = small_case(seed=0, rotation=25.0, translation=30.0).body
    measured = end_point_error(found.displacement(truth.lattice), truth, mask).mean
    assert measured == pytest.approx(errors["dsir"], abs=0.01)
    assert (out / "fixed.nii.gz").is_file() and (out / "moving.nii.gz").is_file()

"""The physicist's page: known motions, tolerances, and an exit code that tells whether they are met."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dsir.cli.main import main
from dsir.errors import DsirError
from dsir.evaluation import commissioning
from dsir.evaluation.commissioning import TRIALS, Trial, judge
from dsir.evaluation.deformation import DeformationSettings
from dsir.evaluation.tolerances import TG132, Errors, deformable_tolerances, rigid_tolerances
from dsir.evaluation.virtual_phantoms import Brain, Disturbance, padded_brain, phantom
from dsir.geometry.image import Image
from dsir.registration.register import RegistrationResult
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform

pytest.importorskip("nilearn", reason="the embedded brain is nilearn's")


@pytest.fixture(scope="module", autouse=True)
def brain() -> Iterator[Brain]:
    """Voxels of 4 mm: a tenth of the time."""
    found = padded_brain(4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commissioning, "padded_brain", lambda: found)
        yield found


def answer_with(transform: Transform | None):
    """A registration that always gives this; without one, it refuses."""

    def register(fixed, moving, settings, **_) -> RegistrationResult:
        if transform is None:
            raise DsirError("These scans share nothing.")
        return RegistrationResult(transform, settings, {"verdict": {"level": "PASS", "reasons": []}})

    return register


def test_errors_by_hand() -> None:
    truth = np.zeros((100, 3))
    found = truth.copy()
    found[:, 0], found[-1] = 1.0, (3.0, 4.0, 0.0)
    errors = Errors.of(found, truth, np.eye(3))
    assert errors == Errors(pytest.approx(1.04), 1.0, 5.0, 4.0, 100)
    turned = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    assert Errors.of(found, truth, turned).axis == pytest.approx(5.0)  # (3, 4, 0) lies along this grid's first axis


def test_a_tolerance_is_met_up_to_its_limit_and_by_no_missing_number() -> None:
    (half_a_voxel,) = rigid_tolerances(2.0)
    assert half_a_voxel.source == TG132 and "TG-132" in TG132
    at = Errors(0.1, 0.2, 1.4, 1.0, 9)
    assert half_a_voxel.met(at) and half_a_voxel.used(at) == 1.0
    assert not half_a_voxel.met(replace(at, axis=1.01)) and not half_a_voxel.met(replace(at, axis=float("nan")))
    most, all_of_them = deformable_tolerances()
    assert most.met(replace(at, p95=2.0)) and not most.met(replace(at, p95=2.1))
    assert all_of_them.met(replace(at, largest=5.0)) and not all_of_them.met(replace(at, largest=5.1))


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_the_truth_meets_every_tolerance_and_no_answer_meets_none_where_something_moved(
    trial: Trial, brain: Brain
) -> None:
    case = phantom(brain, trial.motion, trial.contrast, trial.disturbance)
    assert judge(trial, case, Transform((case.truth,))).used == pytest.approx(0.0, abs=1e-3)
    moved = trial.name != "nothing moved"
    assert judge(trial, case, Transform()).met is not moved
    assert bool(case.body.any()) and bool(torch.isfinite(case.fixed.data).all())
    assert float(case.moving.data.std()) > 0


def test_the_fixed_scan_shows_the_brain_where_the_truth_says(brain: Brain) -> None:
    case = phantom(brain, DeformationSettings(amplitude=0.0, translation=8.0), seed=3)
    shift = case.truth.vectors.flatten(1).mean(1).numpy()
    assert np.linalg.norm(shift) == pytest.approx(8.0, abs=1e-3)
    assert np.abs(middle(case.fixed) + shift - middle(case.moving)).max() < 0.1


def middle(image: Image) -> np.ndarray:
    """(3,) RAS mm: the centre of brightness."""
    index = torch.nonzero(image.data)
    return np.average(image.lattice.to_world(index.numpy()), axis=0, weights=image.data[tuple(index.T)].numpy())


def test_what_is_not_scanned_does_not_count(brain: Brain) -> None:
    case = phantom(brain, DeformationSettings(amplitude=0.0), disturbance=Disturbance(cut=40.0))
    assert case.moving.lattice.shape[2] == brain.scan.lattice.shape[2] - 10 - int(
        torch.nonzero(brain.body.any(0).any(0))[0]
    )
    points = brain.scan.lattice.to_world(torch.nonzero(case.body).numpy())
    assert case.moving.lattice.contains(points).all()
    assert 0.4 < float(case.body.sum() / brain.body.sum()) < 0.95


@pytest.mark.slow
def test_a_missed_tolerance_is_exit_code_1_and_stands_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commissioning, "register", answer_with(Transform()))
    assert main(["commission", "--out", str(tmp_path / "qa"), "--quiet"]) == 1
    assert "12 of 13 trials missed a tolerance" in capsys.readouterr().out
    page = (tmp_path / "qa" / "report.html").read_text(encoding="utf-8")
    assert "NOT MET" in page and "<script" not in page and "://" not in page
    report = json.loads((tmp_path / "qa" / "report.json").read_text())
    assert [row["trial"] for row in report["trials"] if row["met"]] == ["nothing moved"]
    assert report["met"] is False and len(report["model"]["sha256"]) == 64 and report["date"].startswith("20")
    with (tmp_path / "qa" / "errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["met"] for row in rows] == ["yes"] + ["no"] * 12
    assert float(rows[1]["mean_mm"]) == pytest.approx(12.0, abs=1e-3)


def test_a_refused_registration_is_a_row_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commissioning, "register", answer_with(None))
    assert main(["commission", "--quick", "--out", str(tmp_path / "qa"), "--quiet"]) == 1
    assert "NOT MET These scans share nothing." in capsys.readouterr().out
    assert "These scans share nothing." in (tmp_path / "qa" / "report.html").read_text(encoding="utf-8")


def test_rigid_trials_ask_for_a_rigid_registration() -> None:
    settings = RegistrationSettings()
    asked = {trial.name: trial.asked(settings) for trial in TRIALS}
    assert asked["shift of 12 mm"].linear.model == "rigid" and asked["shift of 12 mm"].deformable is False
    assert asked["nothing moved"] is settings and asked["deformation of 6 mm"] is settings


@pytest.mark.slow
def test_the_quick_trials_meet_their_tolerances(tmp_path: Path) -> None:
    assert main(["commission", "--quick", "--preset", "fast", "--out", str(tmp_path / "qa"), "--quiet"]) == 0
    page = (tmp_path / "qa" / "report.html").read_text(encoding="utf-8")
    for words in ("every tolerance, in all 2 trials", "TG-132", "has seen this very average brain", "--preset fast"):
        assert words in page
    assert main(["commission", "--quick", "--out", str(tmp_path / "qa"), "--quiet"]) == 2  # the folder holds files

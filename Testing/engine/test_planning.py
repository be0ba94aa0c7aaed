"""From two studies to what a planning system imports, by one command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_made import change
from dsir.cli.main import main
from dsir.dicom.series import read_series
from dsir.errors import DsirError
from dsir.features.mind import Mind
from dsir.files.output_folder import _importance
from dsir.files.transforms import read_transform
from dsir.planning import run as planning_run
from dsir.planning.studies import fixed_study, moving_study
from dsir.planning.task import preset_for
from dsir.rt.structures_in import read_rtstruct
from dsir.structures import confidence_map
from pydicom.uid import generate_uid
from studies_made import GRID, ORGANS, QUICK, SHIFT, make_studies

pytestmark = pytest.mark.slow

WORDS = ["--quiet"]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_studies(tmp_path_factory.mktemp("studies"))


@pytest.fixture(scope="module")
def case(studies: tuple[Path, Path]) -> Path:
    out = studies[0].parent / "case"
    words = ["plan", "--fixed-study", str(studies[0]), "--moving-study", str(studies[1]), "--out", str(out)]
    (out.parent / "settings.json").write_text(json.dumps({**QUICK, "spacing": 4.0}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confidence_map, "load_descriptor", lambda _: Mind())  # the network has tests of its own
        assert main([*words, *WORDS, "--settings", str(out.parent / "settings.json")]) == 0
    return out


def test_what_belongs_together_is_found_and_said(studies: tuple[Path, Path]) -> None:
    still, moved = fixed_study(studies[0]), moving_study(studies[1])
    assert len(still.scan.planes) == GRID.shape[2] and still.structures is None
    assert moved.structures.name == "rs_last.dcm" and moved.dose.name == "rd.dcm"
    said = " ".join(moved.reasons)
    assert "Of 2 structure sets" in said and "the newest was taken (last)" in said and "2 doses" in said


def test_the_dose_of_a_beam_alone_is_not_that_of_the_plan(studies: tuple[Path, Path], tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(studies[1], old)
    (old / "rd.dcm").unlink()
    moved = moving_study(old)
    assert moved.dose is None and "none is of a whole plan (BEAM alone)" in " ".join(moved.reasons)


def test_a_dose_in_another_frame_of_reference_is_passed_over(studies: tuple[Path, Path], tmp_path: Path) -> None:
    old = shutil.copytree(studies[1], tmp_path / "old")
    change(old / "rd.dcm", lambda d: setattr(d, "FrameOfReferenceUID", generate_uid()))
    moved = moving_study(old)
    assert moved.dose is None and "1 of 2 doses, in another frame of reference" in " ".join(moved.reasons)


def test_of_two_doses_that_of_the_structure_sets_plan_is_taken_or_the_user_must_choose(
    studies: tuple[Path, Path], tmp_path: Path
) -> None:
    old = shutil.copytree(studies[1], tmp_path / "old")
    shutil.copy(old / "rd.dcm", old / "copy.dcm")  # a copy is no second dose
    assert moving_study(old).dose is not None
    change(old / "rd.dcm", lambda d: setattr(d, "DoseGridScaling", 0.002), to=old / "rd_boost.dcm")
    with pytest.raises(DsirError, match=r"Several doses of a whole plan .*rd_boost.dcm.*keep one"):
        moving_study(old)

    plan = pydicom.dcmread(old / "rs_last.dcm")
    drawn, named = pydicom.Dataset(), pydicom.Dataset()
    drawn.ReferencedSOPInstanceUID, named.ReferencedSOPInstanceUID = plan.SOPInstanceUID, generate_uid()
    plan.Modality, plan.SOPClassUID, plan.RTPlanLabel = "RTPLAN", "1.2.840.10008.5.1.4.1.1.481.5", "first"
    plan.SOPInstanceUID = named.ReferencedSOPInstanceUID
    plan.ReferencedStructureSetSequence = [drawn]
    plan.save_as(old / "rp.dcm")
    change(old / "rd.dcm", lambda d: setattr(d, "ReferencedRTPlanSequence", [named]))
    moved = moving_study(old)
    assert moved.dose.name == "rd.dcm"
    assert "of the structure set (plan first) was taken" in " ".join(moved.reasons)


def test_a_structure_set_that_names_no_series_is_known_by_its_frame_of_reference(
    studies: tuple[Path, Path], tmp_path: Path
) -> None:
    old = shutil.copytree(studies[1], tmp_path / "old")
    for file in old.glob("rs_*.dcm"):
        change(file, lambda d: delattr(d, "ReferencedFrameOfReferenceSequence"))
    moved = moving_study(old)
    assert moved.structures.name == "rs_last.dcm" and "No structure set names the scan" in " ".join(moved.reasons)

    def elsewhere(dataset: pydicom.Dataset) -> None:
        for roi in dataset.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = "1.2.3"

    for file in old.glob("rs_*.dcm"):
        change(file, elsewhere)
    assert moving_study(old).structures is None


def test_what_cannot_be_used_is_found_before_the_registration(
    studies: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = shutil.copytree(studies[1], tmp_path / "old")
    change(old / "rs_last.dcm", lambda d: delattr(d, "ROIContourSequence"))
    monkeypatch.setattr(planning_run, "register_pair", None)  # not reached
    words = ["plan", "--fixed-study", str(studies[0]), "--moving-study", str(old), "--out", str(tmp_path / "out")]
    assert main(words) == 2 and "organ is left out: it has no contours" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_it_and_writes_nothing(studies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "--fixed-study", str(studies[0]), "--moving-study", str(studies[1]), "--dry-run"]
    before = sorted(studies[0].parent.rglob("*"))
    assert main(words) == 0
    said = capsys.readouterr().out
    for word in (
        "rs_last.dcm",
        "rd.dcm",
        "in another frame of reference",
        "ct_ct",
        "two CTs of one person at two times",
    ):
        assert word in said
    assert sorted(studies[0].parent.rglob("*")) == before


def test_the_contours_lie_where_they_belong(case: Path, studies: tuple[Path, Path]) -> None:
    found = read_rtstruct(case / "structures.dcm", read_series(studies[0]))
    for structure in found.structures:
        centre, radius = ORGANS[structure.name]
        index = (structure.distance > 0).nonzero().numpy()
        world = structure.lattice.to_world(index)
        assert np.linalg.norm(world.mean(0) - (centre - SHIFT)) < 1.0
        volume = len(index) * structure.lattice.spacing.prod()
        assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.08)


def test_the_registration_object_and_the_warped_series_fit(case: Path, studies: tuple[Path, Path]) -> None:
    points = np.random.default_rng(0).uniform(-30, 30, (100, 3))
    moved = read_transform(case / "registration.dcm").transform_points(points)
    assert np.abs(moved - points - SHIFT).max() < 1.5
    fixed, warped = read_series(studies[0]), read_series(case / "warped")
    assert warped.lattice.matches(fixed.lattice)
    assert warped.frame_of_reference == fixed.frame_of_reference
    header = pydicom.dcmread(next((case / "warped").iterdir()))
    assert list(header.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert header.StudyInstanceUID == fixed.header.StudyInstanceUID
    assert header.SeriesInstanceUID != fixed.header.SeriesInstanceUID
    inside = fixed.volume().data > -800
    difference = (warped.volume().data - fixed.volume().data)[inside].abs().mean()
    assert difference < 0.15 * fixed.volume().data[inside].std()


def test_the_dose_of_each_structure_before_and_after(case: Path) -> None:
    report = json.loads((case / "plan.json").read_text())
    start = -GRID.extent[0] / 2 + 2  # the middle of the first voxel of 4 mm
    for row in report["dose"]:
        centre, radius = ORGANS[row["name"]]
        assert row["before"]["volume_cm3"] == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.05)
        assert row["before"]["mean"] == pytest.approx(centre[0] - start, abs=2.0)
        # The dose is carried with the anatomy, so the organ has the same dose on the new scan.
        assert row["after"]["mean"] == pytest.approx(row["before"]["mean"], abs=1.0)
        assert row["mean_lowest"] <= row["after"]["mean"] <= row["mean_highest"]
        assert row["mean_lowest"] == pytest.approx(row["after"]["mean"] - 3, abs=0.3)


def test_the_page_says_what_was_chosen_and_asks_for_nothing(case: Path) -> None:
    page = (case / "report.html").read_text(encoding="utf-8")
    for words in ("What was chosen", "rs_last.dcm", "not validated for accumulation", "structures.dcm", "D95", "<svg"):
        assert words in page
    assert "<script" not in page and "://" not in page
    for text in (page, (case / "plan.json").read_text()):
        assert "Secret" not in text and "ID-4711" not in text


def test_two_persons_and_folders_without_a_scan_are_refused(
    studies: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(studies[1], tmp_path / "other")
    for file in other.rglob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.PatientID = "SOMEBODY-ELSE"
        dataset.save_as(file)
    words = ["plan", "--fixed-study", str(studies[0]), "--moving-study", str(other), "--out", str(tmp_path / "out")]
    assert main([*words, *WORDS]) != 0
    assert "different persons" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    words = ["plan", "--fixed-study", str(tmp_path / "empty"), "--moving-study", str(other), "--dry-run"]
    assert main(words) != 0 and "is empty" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_of_two_scans_of_one_kind_the_user_must_choose(
    studies: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = tmp_path / "both"
    shutil.copytree(studies[0], both / "a")
    second = shutil.copytree(studies[0] / "ct", both / "b")
    for number, file in enumerate(sorted(second.iterdir())):
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID, dataset.SeriesDescription = "1.2.3", "second"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        dataset.save_as(file)
    words = ["plan", "--fixed-study", str(both), "--moving-study", str(studies[1]), "--dry-run"]
    assert main(words) != 0 and "choose one with --series" in capsys.readouterr().err
    assert main([*words, "--series", "both=second"]) == 0
    assert "second" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fixed", "moving", "preset"),
    [
        ({"Modality": "CT"}, {"Modality": "CT"}, "ct_ct"),
        ({"Modality": "CT"}, {"Modality": "CT", "SeriesDescription": "kV CBCT"}, "ct_cbct"),
        ({"Modality": "CT"}, {"Modality": "PT"}, "pet_ct"),
        ({"Modality": "CT", "BodyPartExamined": "HEAD"}, {"Modality": "MR", "BodyPartExamined": "BRAIN"}, "head_ct_mr"),
        ({"Modality": "CT", "BodyPartExamined": "HEADNECK"}, {"Modality": "MR"}, "body_ct_mr"),
        ({"Modality": "MR", "BodyPartExamined": "HEAD"}, {"Modality": "MR", "BodyPartExamined": "HEAD"}, "head_mr_mr"),
        ({"Modality": "MR"}, {"Modality": "MR"}, "default"),
        ({"Modality": "US"}, {"Modality": "CT"}, "default"),
    ],
)
def test_the_preset_follows_from_the_series(fixed: dict, moving: dict, preset: str) -> None:
    headers = []
    for facts in (fixed, moving):
        header = pydicom.Dataset()
        for name, value in facts.items():
            setattr(header, name, value)
        headers.append(header)
    assert preset_for(*headers)[0] == preset
    assert preset_for(*headers, two_persons=True)[0] == "two_persons"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is missing")
@pytest.mark.parametrize("name", ["registration.dcm", "structures.dcm", "structures.seg.dcm", "warped/slice_0001.dcm"])
def test_dciodvfy_finds_no_error(name: str, case: Path) -> None:
    said = subprocess.run(["dciodvfy", str(case / name)], capture_output=True, text=True, check=False)
    errors = [line for line in (said.stderr + said.stdout).splitlines() if re.match(r"Error", line)]
    assert errors == []


def test_the_plans_own_report_appears_when_everything_else_is_there() -> None:
    names = [Path(n) for n in ("plan.json", "registration/report.json", "structures.dcm", "warped/slice_0001.dcm")]
    order = [str(name) for name in sorted(names, key=_importance)]
    assert order[-2:] == ["registration/report.json", "plan.json"]


def test_the_report_knows_its_studies_by_fingerprint(case: Path) -> None:
    inputs = json.loads((case / "plan.json").read_text())["inputs"]
    assert set(inputs) == {"fixed study", "moving study"} and all(len(one["sha256"]) == 64 for one in inputs.values())

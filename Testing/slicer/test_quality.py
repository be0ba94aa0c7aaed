"""The table says what a figure means, and does not call a poor result good."""

import pytest
from dsir.structures.verdict import HD95
from DSIRRegistrationLib.evaluation_rows import FAR, TOO_FAR, evaluation_rows
from DSIRRegistrationLib.quality import rows, summary


def label(before: float, after: float, hd95: float | None = 2.0) -> dict:
    return {
        "name": "liver",
        "before": {"dice": before, "hd95_mm": 40.0},
        "after": {"dice": after, "hd95_mm": hd95},
    }


@pytest.mark.parametrize(("after", "verdict"), [(0.92, "good"), (0.7, "look"), (0.35, "bad")])
def test_a_poor_overlap_is_not_good_because_it_was_worse_before(after, verdict) -> None:
    row, _ = evaluation_rows({"labels": {"1": label(0.0, after)}})
    assert row.verdict == verdict and "TG-132" in row.meaning


@pytest.mark.parametrize(("hd95", "verdict"), [(4.9, "good"), (9.0, "look"), (22.4, "bad")])
def test_a_distance_is_coloured_by_its_own_limit_and_not_by_the_overlap(hd95, verdict) -> None:
    overlap, distance = evaluation_rows({"labels": {"1": label(0.5, 0.95, hd95)}})
    assert overlap.verdict == "good" and distance.verdict == verdict
    assert distance.value == f"40.0 → {hd95:.1f} mm"


def test_the_panel_and_the_lights_have_one_limit_for_the_distance() -> None:
    assert (HD95.amber, HD95.red) == (FAR, TOO_FAR)


def test_a_structure_that_is_not_there_has_no_distance() -> None:
    (row,) = evaluation_rows({"labels": {"1": label(0.4, 0.0, None)}})
    assert row.what == "liver, Dice"


def landmarks(before: float, after: float) -> dict:
    error = {"worst30": 9.0, "largest": 12.0, "count": 5}
    return {"landmarks": {"before": error | {"mean": before}, "after": error | {"mean": after}}}


@pytest.mark.parametrize(("before", "after", "verdict"), [(9, 2, "good"), (9, 5, "look"), (5, 9, "bad")])
def test_landmarks_are_judged_by_tg_132_and_by_the_start(before, after, verdict) -> None:
    (row,) = evaluation_rows(landmarks(before, after))
    assert row.verdict == verdict and f"{before:.1f} → {after:.1f} mm" == row.value


@pytest.mark.parametrize(("level", "shown"), [("FAIL", "bad"), ("CHECK", "look")])
def test_a_figure_that_the_verdict_blames_is_shown_so_in_the_table(level, shown) -> None:
    report = {"similarity": {"start": 0.0, "end": 0.1}, "coverage": 1.0, "verdict": {"level": level, "reasons": []}}
    report["verdict"]["reasons"] = [{"code": "no_similarity", "level": level, "text": "."}]
    found = {row.what: row.verdict for row in rows(report)}
    assert found["Similarity"] == shown and found["Shown by both scans"] == "good"


def test_folds_are_bad_and_their_absence_is_good() -> None:
    assert next(r for r in rows({"folds": 3}) if r.what == "Folded voxels").verdict == "bad"
    assert next(r for r in rows({"folds": 0}) if r.what == "Folded voxels").verdict == "good"


def test_a_report_of_an_older_engine_is_shown_as_far_as_it_goes() -> None:
    assert rows({}) == []
    assert rows({"similarity": {"start": 0.2, "end": 0.5}})[0].value == "0.20 → 0.50"
    organ = {"certainty": 0.8, "doubtful": 0.2, "distance_mm": 3.0}
    old = {"doubtful": 0.1, "calibrated": True, "structures": {"Organ": organ}}
    assert [row.value for row in rows({"certainty": old})] == ["10 % of the body", "confidence 0.80, 20 % doubtful"]


def test_the_summary_names_settings_and_weights() -> None:
    report = {
        "settings": {"preset": "fast", "descriptor": "dsir"},
        "descriptor": {"sha256": "0123456789abcdef"},
        "versions": {"dsir": "0.1.0"},
        "folds": 0,
    }
    assert summary(report) == "DSIR Registration 0.1.0, preset fast, descriptor dsir, weights 0123456789ab, 0 folds"

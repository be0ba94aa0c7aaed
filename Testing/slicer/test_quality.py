"""The table says what a figure means, and does not call a poor result good."""

import pytest
from DSIRRegistrationLib.evaluation_rows import evaluation_rows
from DSIRRegistrationLib.quality import rows, summary


def label(before: float, after: float) -> dict:
    return {
        "name": "liver",
        "before": {"dice": before, "hd95_mm": 40.0},
        "after": {"dice": after, "hd95_mm": 12.0},
    }


@pytest.mark.parametrize(("after", "verdict"), [(0.92, "good"), (0.7, "look"), (0.35, "bad")])
def test_a_poor_overlap_is_not_good_because_it_was_worse_before(after, verdict) -> None:
    (row,) = evaluation_rows({"labels": {"1": label(0.0, after)}})
    assert row.verdict == verdict and "TG-132" in row.meaning


def landmarks(before: float, after: float) -> dict:
    error = {"worst30": 9.0, "largest": 12.0, "count": 5}
    return {"landmarks": {"before": error | {"mean": before}, "after": error | {"mean": after}}}


@pytest.mark.parametrize(("before", "after", "verdict"), [(9, 2, "good"), (9, 5, "look"), (5, 9, "bad")])
def test_landmarks_are_judged_by_tg_132_and_by_the_start(before, after, verdict) -> None:
    (row,) = evaluation_rows(landmarks(before, after))
    assert row.verdict == verdict and f"{before:.1f} → {after:.1f} mm" == row.value


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

"""Improving a transform that is there: no search, steered by pairs, and never a pile of fields."""

from __future__ import annotations

import json

import numpy as np
import pytest
from dsir.cli import main
from dsir.errors import DsirError
from dsir.files.images import write_image
from dsir.files.landmarks import LandmarkPairs, write_landmarks
from dsir.files.transforms import write_transform
from dsir.registration.linear import LinearSettings
from dsir.registration.presets import preset
from dsir.registration.refinement import distances, linear_part, outvoted_by_landmarks, residual_field
from dsir.registration.register import RegistrationResult, register
from dsir.registration.settings import RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from grids import rotation
from phantoms import bend as truth
from phantoms import body_points, bright_on_dark, dark_on_bright, error_mm, field_from, lattice_of, render

pytestmark = pytest.mark.slow

GRID = lattice_of()


def settings() -> RegistrationSettings:
    linear = LinearSettings(start="identity", model="rigid")
    return preset("default", descriptor="mind", device="cpu", spacing=3.0, linear=linear)


def true_pairs(count: int) -> LandmarkPairs:
    fixed = body_points(10 * count)[:count]
    return LandmarkPairs(fixed, fixed + truth(fixed), np.full(count, 1.0), np.ones(count))


def shifted(mm: float) -> Transform:
    matrix = np.eye(4)
    matrix[:3, 3] = mm * np.array([2, -1, 2]) / 3
    return Transform((Linear(matrix),))


@pytest.fixture(scope="module")
def images():
    return render(GRID, dark_on_bright, truth), render(GRID, bright_on_dark)


@pytest.fixture(scope="module")
def good(images) -> RegistrationResult:
    return register(*images, settings())


def test_a_good_transform_stays_good_and_stays_two_parts(images, good: RegistrationResult) -> None:
    again = register(*images, settings(), refine=good.transform)
    assert [type(part) for part in again.transform.parts] == [DisplacementField, Linear]
    assert error_mm(again.transform, truth).mean() < error_mm(good.transform, truth).mean() + 0.2
    assert again.report["folds"] == 0 and again.report["linear"]["start"] == "refined"
    assert again.report["linear"]["model"] == "rigid"  # what it was stays what it is called


def test_nothing_is_searched_for(images, good: RegistrationResult) -> None:
    assert "discrete" not in register(*images, settings(), refine=good.transform).report["seconds"]


def test_pairs_pull_where_the_images_would_not_go_by_themselves(images, good: RegistrationResult) -> None:
    fixed = np.array([[10.0, 5.0, -8.0]])
    wanted = good.transform.transform_points(fixed) + np.array([6.0, 0, 0])  # against the images
    pairs = LandmarkPairs(fixed, wanted, np.array([1.0]), np.array([1.0]))
    steered = register(*images, settings(), refine=good.transform, landmarks=pairs)
    facts = steered.report["landmarks"]
    assert facts["before"]["mean_mm"] == pytest.approx(6.0, abs=1e-6) and facts["after"]["mean_mm"] < 3.0
    far = np.array([[-30.0, -20.0, 20.0]])
    assert np.linalg.norm(steered.transform.transform_points(far) - good.transform.transform_points(far)) < 1.0
    assert steered.report["folds"] == 0


def test_a_transform_that_the_pairs_call_lost_is_forgotten(images) -> None:
    found = register(*images, settings(), refine=shifted(60.0), landmarks=true_pairs(3))
    assert found.report["linear"]["start"] == "landmarks"
    assert found.report["landmarks"]["before"]["mean_mm"] > 45
    assert error_mm(found.transform, truth).mean() < 2.0


@pytest.mark.parametrize(
    ("apart", "confidence", "forgotten"),
    [
        ([60], [1.0], True),  # placed by hand
        ([60], [0.05], False),
        ([5], [1.0], False),  # near enough to be bent
        ([11], [1.0], True),
        ([60, 60, 0], [0.05, 0.05, 0.9], False),  # most pairs say so, and nobody believes them
        ([60, 60, 0], [0.9, 0.9, 0.9], True),
        ([60, 0, 0], [1.0, 0.05, 0.05], True),  # the surest pair, against two guesses
    ],
)
def test_pairs_overthrow_a_transform_only_by_their_confidence(apart, confidence, forgotten) -> None:
    fixed = body_points(100)[: len(apart)]
    away = np.outer(apart, [2, -1, 2]) / 3
    pairs = LandmarkPairs(fixed, fixed + away, np.ones(len(apart)), np.array(confidence))
    assert outvoted_by_landmarks(Transform((Linear(np.eye(4)),)), pairs) is forgotten


def test_a_far_off_match_of_little_confidence_leaves_a_good_result(images, good: RegistrationResult) -> None:
    fixed = body_points(20)[:2]
    partners = good.transform.transform_points(fixed) + np.array([[40.0, 0, 0], [0, 0, 0]])
    pairs = LandmarkPairs(fixed, partners, np.full(2, 2.0), np.array([0.05, 0.2]))
    steered = register(*images, settings(), refine=good.transform, landmarks=pairs)
    alone = register(*images, settings(), refine=good.transform, landmarks=pairs.without(0))
    assert steered.report["linear"]["start"] == "refined" and "1 of 2 pairs" in " ".join(steered.report["warnings"])
    np.testing.assert_array_equal(
        steered.transform.transform_points(fixed), alone.transform.transform_points(fixed)
    )  # as if it were not there
    assert steered.report["landmarks"]["count"] == 2 and not alone.report["warnings"]
    assert error_mm(steered.transform, truth).mean() < error_mm(good.transform, truth).mean() + 0.2


def test_the_linear_part_and_the_bend_before_it_are_the_transform() -> None:
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = rotation(20), (4, -7, 9)
    whole = Transform((field_from(GRID, truth), Linear(turn), Linear(np.diag([1.1, 1, 0.9, 1]))))
    split = Transform((residual_field(whole, GRID), Linear(linear_part(whole))))
    points = body_points(500)
    np.testing.assert_allclose(split.transform_points(points), whole.transform_points(points), atol=0.02)
    assert (
        distances(whole, LandmarkPairs(points, whole.transform_points(points), *np.ones((2, len(points))))).max() < 1e-6
    )


def test_two_starts_are_refused(images, good: RegistrationResult) -> None:
    with pytest.raises(DsirError, match="both be the start"):
        register(*images, settings(), initial=good.transform, refine=good.transform)


def test_the_command_refines_and_writes_only_what_somebody_waits_for(images, good, tmp_path, capsys) -> None:
    for name, image in zip(("fixed", "moving"), images, strict=True):
        write_image(tmp_path / f"{name}.nii.gz", image)
    write_transform(tmp_path / "t.h5", good.transform)
    write_landmarks(tmp_path / "pairs.csv", true_pairs(2))
    words = ["register", "--descriptor", "mind", "--brief", "--out", str(tmp_path / "out")]
    words += ["--fixed", str(tmp_path / "fixed.nii.gz"), "--moving", str(tmp_path / "moving.nii.gz")]
    assert main([*words, "--refine", str(tmp_path / "t.h5"), "--landmarks", str(tmp_path / "pairs.csv")]) == 0
    assert {p.name for p in (tmp_path / "out").glob("[!.]*")} == {"transform.h5", "warped.nii.gz", "report.json"}
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["landmarks"]["count"] == 2 and "refine" in report["inputs"]
    assert "landmarks (2)" in capsys.readouterr().out

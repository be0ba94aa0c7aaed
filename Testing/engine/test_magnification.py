"""Small bodies are registered as well as large ones, in their own millimetres."""

from __future__ import annotations

from string import Formatter

import numpy as np
import pytest
from dsir.files.landmarks import LandmarkPairs
from dsir.messages import Message
from dsir.registration.body_places import Places
from dsir.registration.findings import Finding, findings_of, verdict_of
from dsir.registration.linear import LinearSettings
from dsir.registration.magnification import brought_back, enlarged, enlarged_transform, magnification
from dsir.registration.presets import preset
from dsir.registration.reasons import WORDS, in_true_lengths, reason
from dsir.registration.register import register
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from grids import rotation
from phantoms import bend, body_points, bright_on_dark, dark_on_bright, error_mm, field_from, inside, lattice_of, render

pytestmark = pytest.mark.slow

GRID = lattice_of((33, 38, 30), (4.0, 4.0, 4.0))
FIXED, MOVING = render(GRID, dark_on_bright, bend), render(GRID, bright_on_dark)
SETTINGS = preset("fast", spacing=4.0, deformable=True, linear=LinearSettings(start="identity", model="rigid"))


@pytest.fixture(scope="module")
def plain() -> float:
    """mm that full size is missed by."""
    return float(error_mm(register(FIXED, MOVING, SETTINGS).transform, bend).mean())


def test_people_are_left_as_they_are_and_others_become_as_large() -> None:
    body = render(GRID, inside).data > 0.5
    assert magnification(FIXED, None) == magnification(FIXED, body) == 1.0
    for size in (0.03, 0.1, 0.3, 30.0):
        factor = magnification(enlarged(FIXED, size), None)
        assert 100 < factor * size * 124 < 200  # mm of the longest side


def test_a_mapping_between_enlarged_scans_is_the_enlarged_mapping() -> None:
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = rotation(12.0), (5.0, -7.0, 3.0)
    mapping = Transform((field_from(GRID, bend), Linear(turn)))
    points = body_points(200)
    there = enlarged_transform(mapping, 0.1).transform_points(0.1 * points)
    np.testing.assert_allclose(there, 0.1 * mapping.transform_points(points), atol=1e-4)


@pytest.mark.parametrize("size", [0.1, 30.0])
def test_the_error_in_voxels_is_that_of_full_size(size: float, plain: float) -> None:
    result = register(enlarged(FIXED, size), enlarged(MOVING, size), SETTINGS)
    points = size * body_points()
    right = points + size * bend(points / size)
    missed = np.linalg.norm(result.transform.transform_points(points) - right, axis=1).mean()
    assert missed < size * (1.2 * plain + 0.2)
    assert result.report["magnification"] == pytest.approx(160 / (size * 124), rel=0.15)
    spacing = size * 4.0
    assert 0.3 * spacing < result.report["lattice"]["spacing_mm"] < 1.5 * spacing
    assert any("as if" in warning for warning in result.report["warnings"])


def test_reasons_and_warnings_name_the_true_millimetres() -> None:
    where = Places.between("", GRID, np.array([[0.0, 0, 0]]), np.array([[10.0, 10, 10]]))
    in_parts = {"parts": 2.0, "of": 8.0, "unseen_parts": 1.0, "step_mm": 3.0}
    in_parts |= {"right_mm": -12.0, "front_mm": 0.3, "top_mm": 45.0}
    found = [
        reason("better_nearby", "CHECK", {"shift_mm": 4.0, "rise": 0.1}),
        reason("halves_differ", "CHECK", {"apart_mm": 2.5, "within_mm": 3.0}),
        reason("deformation_shifts", "CHECK", {"shift_mm": 31.0}),
        reason("better_in_parts", "CHECK", in_parts, where),
        Finding("folds", "FAIL", "The field folds at 3 voxels.", {"folds": 3.0}),
    ]
    report = {
        "linear": {"shift_mm": 10.0, "matrix": np.eye(4).tolist(), "candidates": []},
        "lattice": {"spacing_mm": 2.0},
        "deformation": {"shift_mm": 31.0},
        "landmarks": None,
        "verdict": verdict_of(found),
        "warnings": [Message("pairs_left_out", count=1, of=4, mm=8.0)],
    }
    told = brought_back(report, 10.0)
    folds, nearby, halves, shifts, parts = findings_of(told)
    assert "by 3.1 mm as a whole" in shifts.text and told["deformation"]["shift_mm"] == pytest.approx(3.1)
    assert nearby.values == {"shift_mm": 0.4, "rise": 0.1}
    assert nearby.text.startswith("Shifted by 0.4 mm the scans agree better")
    assert "0.25 mm apart" in halves.text and "within 0.3 mm" in halves.text
    assert "shifted by 0.3 mm" in parts.text and parts.text.endswith("around R -1.2, A 0.0, S 4.5 mm.")
    assert parts.places is not None and parts.places.words.endswith("by 0.3 mm, or where too little is seen to tell.")
    np.testing.assert_allclose(parts.places.corners, where.corners / 10)
    assert folds == found[-1]
    assert "lie more than 0.8 mm from" in told["warnings"][1]


def test_large_things_are_told_in_whole_millimetres() -> None:
    told = in_true_lengths(reason("better_nearby", "CHECK", {"shift_mm": 4.0}), 1 / 20)
    assert told.text.startswith("Shifted by 80 mm ")


@pytest.mark.parametrize("code", sorted(WORDS))
def test_no_length_of_a_sentence_stays_enlarged(code: str) -> None:
    """Lengths of 30 mm in a scan thirty times as large: none of them is to be read in what is said."""
    names = [name for _, name, _, _ in Formatter().parse(WORDS[code]) if name]
    values = {name: 30.0 if name.endswith("_mm") else 7.0 for name in names}
    assert "30" in reason(code, "CHECK", values).text
    assert "30" not in in_true_lengths(reason(code, "CHECK", values), 30.0).text


def test_starts_and_landmarks_are_given_and_told_in_true_millimetres() -> None:
    size, away = 0.1, np.eye(4)
    away[:3, 3] = 1.0, -2.0, 0.5
    fixed, moving = enlarged(FIXED, size), enlarged(MOVING, size)
    points = size * body_points(40)[:4]
    pairs = LandmarkPairs(points, points + size * bend(points / size), np.full(4, 0.2), np.ones(4))
    result = register(fixed, moving, SETTINGS, landmarks=pairs)
    told = result.report["landmarks"]
    assert told["before"]["mean_mm"] == pytest.approx(
        np.linalg.norm(pairs.moving - pairs.fixed, axis=1).mean(), rel=1e-3
    )
    assert told["after"]["mean_mm"] < 0.5 * told["before"]["mean_mm"]
    started = register(fixed, moving, SETTINGS, initial=Transform((Linear(away),)))
    np.testing.assert_allclose(started.transform.parts[-1].matrix, away, atol=1e-9)

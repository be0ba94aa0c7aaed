"""The linear model is the one that was put in, no more and no less; scans that lie turned over are found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.features.mind import Mind
from dsir.geometry.image import Image
from dsir.metrics.mutual_information import joint_histograms, levels, mutual_information, rise
from dsir.registration.align import Alignment, align
from dsir.registration.blocks import Blocks, inside
from dsir.registration.evidence import ONCE, deformation_helps
from dsir.registration.linear import LinearSettings, basis_of, nearest
from dsir.registration.presets import preset
from dsir.registration.register import register
from dsir.registration.starts import angle_between, axis_turns
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from grids import rotation
from phantoms import bend, body_points, bright_on_dark, dark_on_bright, field_from, lattice_of, render
from phantoms import inside as inside_body

pytestmark = pytest.mark.slow

GRID = lattice_of((44, 48, 40), (3.2, 3.2, 3.2))
FIXED = render(GRID, dark_on_bright)
BODY = render(GRID, inside_body).data > 0.5


def seen_through(matrix: np.ndarray, view=bright_on_dark) -> Image:
    """The other contrast of the body, which lies where ``matrix`` (fixed to moving) brings it."""
    back = Linear(np.linalg.inv(matrix))
    return render(GRID, lambda points: view(back.transform_points(points.reshape(-1, 3)).reshape(points.shape)))


def matrix_of(degrees: float = 0.0, shift=(0.0, 0.0, 0.0), stretch=(1.0, 1.0, 1.0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation(degrees) @ np.diag(stretch), shift
    return matrix


def found(matrix: np.ndarray, **options) -> Alignment:
    body = seen_through(matrix, inside_body).data > 0.5
    return align(FIXED, seen_through(matrix), BODY, body, Mind(), LinearSettings(), **options)


def missed(alignment: Alignment, wanted: np.ndarray) -> float:
    points = body_points(500)
    apart = Linear(alignment.matrix).transform_points(points) - Linear(wanted).transform_points(points)
    return float(np.linalg.norm(apart, axis=1).mean())


@pytest.mark.parametrize(
    ("matrix", "model"),
    [
        (matrix_of(), "none"),
        (matrix_of(shift=(5.0, -3.0, 4.0)), "translation"),
        (matrix_of(8.0, (4.0, 2.0, -3.0)), "rigid"),
        (matrix_of(5.0, (4.0, 2.0, -3.0), (1.06, 1.06, 1.06)), "similarity"),
        (matrix_of(0.0, (2.0, 0.0, 0.0), (1.08, 0.94, 1.03)), "affine"),
    ],
    ids=["none", "translation", "rigid", "similarity", "affine"],
)
def test_the_model_is_the_one_that_was_put_in(matrix: np.ndarray, model: str) -> None:
    alignment = found(matrix)
    assert alignment.model == model
    assert missed(alignment, matrix) < (0.7 if model != "none" else 1e-9)
    told = alignment.to_json(np.zeros(3))
    assert [one["model"] for one in told["candidates"]] == ["none", "translation", "rigid", "similarity", "affine"]
    assert abs(told["scale_percent"] - 100 * (np.cbrt(np.linalg.det(matrix[:3, :3])) - 1)) < 1.0


def test_one_person_is_given_no_scale() -> None:
    alignment = found(matrix_of(0.0, (2.0, 0.0, 0.0), (1.06, 1.06, 1.06)), grows=False)
    assert alignment.model in ("none", "translation", "rigid")
    np.testing.assert_allclose(np.linalg.det(alignment.matrix[:3, :3]), 1.0, atol=1e-9)


def test_a_scale_that_was_asked_for_is_named_where_both_scans_show_one_person() -> None:
    settings = preset("fast", same_person=True, deformable=False, linear=LinearSettings(model="similarity"))
    result = register(FIXED, seen_through(matrix_of(stretch=(1.05,) * 3)), settings)
    assert any("does not grow" in warning and "+" in warning for warning in result.report["warnings"])
    assert abs(result.report["linear"]["scale_percent"] - 5) < 1 and len(result.transform.parts) == 1


def test_a_linear_result_is_linear_and_rigid_is_rigid() -> None:
    moving = seen_through(matrix_of(6.0, (3.0, 2.0, 1.0)))
    rigid = preset("fast", deformable=False, linear=LinearSettings(model="rigid"))
    (part,) = register(FIXED, moving, rigid).transform.parts
    assert isinstance(part, Linear)
    np.testing.assert_allclose(part.matrix[:3, :3] @ part.matrix[:3, :3].T, np.eye(3), atol=1e-9)
    nothing = register(FIXED, moving, preset("fast", deformable=False, linear=LinearSettings(model="none")))
    assert nothing.transform.parts == () and nothing.report["linear"]["model"] == "none"


def test_a_scan_to_itself_stays_where_it_is() -> None:
    result = register(FIXED, FIXED, preset("fast"))
    points = body_points(500)
    assert np.linalg.norm(result.transform.transform_points(points) - points, axis=1).max() < 0.2


@pytest.mark.parametrize(
    "turn",
    [np.diag([-1.0, 1.0, -1.0]), np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])],
    ids=["turned over", "on its side"],
)
def test_a_scan_that_lies_the_wrong_way_round_is_found(turn: np.ndarray) -> None:
    wanted = np.eye(4)
    wanted[:3, :3], wanted[:3, 3] = rotation(9.0) @ turn, (10.0, -6.0, 4.0)
    alignment = found(wanted)
    assert alignment.start.startswith("turned") and missed(alignment, wanted) < 2.0


def test_there_are_24_turns_and_no_mirror_among_them() -> None:
    turns = axis_turns()
    assert len({tuple(turn.ravel()) for turn in turns}) == 24 and np.array_equal(turns[0], np.eye(3))
    assert all(np.isclose(np.linalg.det(turn), 1) for turn in turns)
    assert max(angle_between(np.eye(3), turn) for turn in turns) == pytest.approx(180)


def test_the_nearest_of_each_model_has_no_more_numbers_than_it() -> None:
    matrix = matrix_of(20.0, (1.0, 2.0, 3.0), (1.1, 0.9, 1.05))
    similar = nearest(matrix, "similarity")
    np.testing.assert_allclose(
        similar[:3, :3].T @ similar[:3, :3], np.eye(3) * np.cbrt(1.1 * 0.9 * 1.05) ** 2, atol=1e-12
    )
    np.testing.assert_array_equal(nearest(matrix, "translation")[:3, :3], np.eye(3))
    np.testing.assert_array_equal(nearest(matrix, "none"), np.eye(4))
    for model, numbers in (("translation", 3), ("rigid", 6), ("similarity", 7)):
        assert np.linalg.matrix_rank(basis_of(model)) == numbers


def test_a_true_deformation_has_evidence_and_a_made_up_one_has_not() -> None:
    fixed, moving = render(GRID, dark_on_bright, bend), render(GRID, bright_on_dark)
    masks = (render(GRID, inside_body, bend).data > 0.5, BODY)
    right = Transform((field_from(GRID, bend),))
    wrong = Transform((field_from(GRID, lambda points: bend(-points)),))
    assert deformation_helps(fixed, moving, *masks, GRID, Transform(), right).beyond(ONCE)
    assert not deformation_helps(fixed, moving, *masks, GRID, Transform(), wrong).beyond(ONCE)
    assert not deformation_helps(fixed, moving, *masks, GRID, right, Transform()).beyond(ONCE)


def test_mutual_information_of_the_same_is_the_logarithm_and_of_strangers_nothing() -> None:
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.rand(40, 40, 40, generator=draw) for _ in range(2))
    weight, group = torch.ones_like(a), torch.arange(a.numel()).view(a.shape) % 10
    first, second = (levels(values, weight, 8) for values in (a, b))
    same = joint_histograms(first, first, weight, group, 8)
    strangers = joint_histograms(first, second, weight, group, 8)
    assert float(mutual_information(same.sum(0))) == pytest.approx(np.log(8), abs=1e-3)
    assert float(mutual_information(strangers.sum(0))) < 2e-3
    gained, noise = rise(strangers, same)
    assert gained == pytest.approx(np.log(8), abs=5e-3) and noise < 0.01


def test_the_rim_is_not_judged_but_a_body_cut_by_the_volume_is() -> None:
    ball = torch.zeros(30, 30, 30, dtype=torch.bool)
    ball[5:25, 5:25, :] = True
    left = inside(ball, 3.0)
    assert not left[5:8].any() and left[8:22, 8:22].all()  # nothing is taken off where the volume ends
    assert inside(ball, 9.0).sum() >= 0.3 * ball.sum()
    blocks = Blocks.of(ball.float(), lattice_of((30, 30, 30), (4.0, 4.0, 4.0)))
    assert blocks.weight.sum() == blocks.judged.sum() and blocks.white.float().mean() == pytest.approx(0.5, abs=0.05)

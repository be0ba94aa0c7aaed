"""The measures give the answers one can work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dsir.errors import DsirError
from dsir.files.landmarks import read_landmarks
from dsir.metrics.overlap import (
    end_point_error,
    label_scores,
    landmark_error,
    mask_score,
    summary,
    worst_labels,
)
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from grids import GRIDS, lattice, points_inside


def box(shape, low, high) -> np.ndarray:
    out = np.zeros(shape, dtype=bool)
    out[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return out


def test_a_shifted_box_has_the_dice_and_distances_of_its_shift():
    a = box((40, 40, 20), (5, 5, 5), (25, 25, 15))
    b = box((40, 40, 20), (9, 5, 5), (29, 25, 15))
    score = mask_score(a, b, np.array([0.5, 1.0, 3.0]), tolerance_mm=2.5)
    assert score.dice == pytest.approx(0.8)
    assert score.hd95_mm == pytest.approx(2.0)  # four voxels of 0.5 mm
    assert 0 < score.surface_distance_mm < 2.0
    assert score.surface_dice == pytest.approx(1.0) and score.volume_ratio == 1.0


def test_equal_shapes_are_perfect_and_a_vanished_label_scores_zero():
    grid = lattice((20, 20, 20))
    fixed = torch.zeros(grid.shape, dtype=torch.int32)
    fixed[2:10, 2:10, 2:10] = 3
    fixed[12:18, 12:18, 12:18] = 7
    warped = fixed.clone()
    warped[fixed == 7] = 0
    scores = label_scores(fixed, warped, grid)
    assert scores[3].dice == 1 and scores[3].hd95_mm == 0 and scores[3].surface_dice == 1
    assert scores[7].dice == 0 and scores[7].hd95_mm is None and scores[7].volume_ratio == 0
    assert worst_labels(scores) == 0


def test_shapes_at_the_border_have_a_surface_there_too():
    a = box((10, 10, 10), (0, 0, 0), (10, 10, 5))
    b = box((10, 10, 10), (0, 0, 0), (10, 10, 6))
    score = mask_score(a, b, np.ones(3))
    assert score.hd95_mm == pytest.approx(1.0) and score.surface_distance_mm < 0.5


def test_a_spacing_counts_along_its_own_axis():
    a = box((12, 12, 12), (3, 3, 3), (8, 8, 8))
    b = np.roll(a, 1, axis=2)
    thin, thick = (mask_score(a, b, np.array([1.0, 1.0, s])).hd95_mm for s in (1.0, 5.0))
    assert (thin, thick) == (pytest.approx(1.0), pytest.approx(5.0))


def test_label_maps_of_different_grids_are_refused():
    with pytest.raises(DsirError, match="do not fit"):
        label_scores(torch.ones(4, 4, 4), torch.ones(4, 4, 5), lattice((4, 4, 4)))


def test_the_worst_thirty_percent_are_the_largest_errors():
    score = summary(np.arange(1.0, 11.0))
    assert (score.mean, score.worst30, score.median, score.largest, score.count) == (5.5, 9.0, 5.5, 10.0, 10)
    assert summary(np.array([2.0])).worst30 == 2.0


def test_landmark_error_is_the_distance_in_the_moving_image():
    matrix = np.eye(4)
    matrix[:3, 3] = (3.0, 0.0, 4.0)
    points = points_inside(GRIDS["oblique"], 20)
    assert landmark_error(Transform((Linear(matrix),)), points, points).mean == pytest.approx(5.0)
    assert landmark_error(Transform((Linear(matrix),)), points, points + np.array([3, 0, 4])).largest < 1e-9


def test_end_point_error_counts_inside_the_mask_only():
    grid = GRIDS["left-handed"]
    truth, found = DisplacementField.identity(grid), DisplacementField(torch.zeros(3, *grid.shape), grid)
    found.vectors[1, :5] = 6.0
    mask = torch.zeros(grid.shape, dtype=torch.bool)
    mask[:5] = True
    assert end_point_error(found, truth, mask).mean == pytest.approx(6.0)
    assert end_point_error(found, truth, ~mask).largest == 0
    with pytest.raises(DsirError, match="empty"):
        end_point_error(found, truth, torch.zeros_like(mask))


def test_landmarks_are_read_by_their_columns(tmp_path):
    (tmp_path / "l.csv").write_text("name,mx,my,mz,fx,fy,fz\na,4,5,6,1,2,3\nb,40,50,60,10,20,30\n")
    pairs = read_landmarks(tmp_path / "l.csv")
    assert pairs.fixed.tolist() == [[1, 2, 3], [10, 20, 30]] and pairs.moving[1].tolist() == [40, 50, 60]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,y,z\n1,2,3\n", "no column"),
        ("fx,fy,fz,mx,my,mz\n1,2,3,4,5\n", "without six numbers"),
        ("fx,fy,fz,mx,my,mz\n", "no landmark pairs"),
    ],
)
def test_bad_landmark_files_are_refused_by_name(tmp_path, text, says):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DsirError, match=rf"bad\.csv.*{says}"):
        read_landmarks(tmp_path / "bad.csv")

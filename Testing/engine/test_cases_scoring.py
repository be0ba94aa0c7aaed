"""Cases know their answer, and the scorer measures the distance from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dsir.evaluation.cases import Case, LabelMap, known_case
from dsir.evaluation.deformation import DeformationSettings
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.sampling import gaussian_blur
from dsir.similarity.random_contrast import random_contrast
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from scoring import identity_score, score
from tissue import threshold_body, tissue_labels


def textured_ball() -> tuple[Image, torch.Tensor]:
    """A ball of 32 mm radius with smooth texture on an oblique, anisotropic lattice, and where it is."""
    c, s = np.cos(0.4), np.sin(0.4)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag([2.0, 2.0, 3.0])
    lattice = Lattice((40, 42, 30), affine)
    noise = torch.as_tensor(np.random.default_rng(0).standard_normal((1, *lattice.shape)), dtype=torch.float32)
    texture = gaussian_blur(noise, 2.0)[0]
    index = np.stack(np.meshgrid(*(np.arange(n) for n in lattice.shape), indexing="ij"), -1)
    body = torch.from_numpy(np.linalg.norm(lattice.to_world(index) - lattice.centre, axis=-1) < 32.0)
    return Image((500 + 150 * texture / texture.std()).clamp(min=100) * body, lattice), body


@pytest.fixture(scope="module")
def case() -> Case:
    image, body = textured_ball()
    labels = LabelMap(tissue_labels(image, body, classes=3), image.lattice)
    partner = random_contrast(image, body, seed=1)
    return known_case("ball", image, partner, body, labels, deformation=DeformationSettings(amplitude=8.0), seed=1)


def test_truth_scores_zero_error_and_full_overlap(case: Case) -> None:
    found = score(case, case.truth)
    assert found["epe_mean"] < 1e-5
    assert found["dice_mean"] == 1.0
    assert found["hd95_mean"] == 0.0
    assert found["folds"] == found["folds_central"] == 0


def test_identity_scores_the_deformation_itself(case: Case) -> None:
    found = identity_score(case)
    expected = case.truth.vectors.norm(dim=0)[case.body].mean()
    assert found["epe_mean"] == pytest.approx(float(expected))
    assert found["dice_mean"] < 0.95
    assert found["sd_log_j"] == 0.0


def test_fixed_image_shows_the_moved_point_of_the_source() -> None:
    image, body = textured_ball()
    case = known_case("ball", image, image, body, deformation=DeformationSettings(amplitude=8.0), seed=2)
    index = np.array([[20, 21, 15], [14, 20, 12], [25, 26, 18]])
    places = image.lattice.to_index(case.truth.transform_points(image.lattice.to_world(index)))
    whole, part = np.floor(places).astype(int), places - np.floor(places)
    for (i, j, k), (a, b, c), at in zip(whole, part, index, strict=True):
        box = image.data[i : i + 2, j : j + 2, k : k + 2].numpy()
        weights = np.einsum("i,j,k", [1 - a, a], [1 - b, b], [1 - c, c])
        assert float(case.fixed.data[tuple(at)]) == pytest.approx(float((box * weights).sum()), rel=1e-3)


def test_a_transform_scores_like_its_field(case: Case) -> None:
    matrix = np.eye(4)
    matrix[:3, 3] = [3.0, -2.0, 1.0]
    chain = Transform((Linear(matrix),))
    assert score(case, chain)["epe_mean"] == pytest.approx(
        score(case, chain.displacement(case.fixed.lattice))["epe_mean"]
    )


def test_landmark_error_is_the_distance_left(case: Case) -> None:
    points = case.fixed.lattice.to_world(np.array([[20, 20, 15], [18, 22, 14], [15, 15, 15]]))
    marked = replace(case, fixed_landmarks=points, moving_landmarks=points + np.array([0.0, 3.0, 4.0]))
    found = score(marked, DisplacementField.identity(case.fixed.lattice))
    assert found["tre_mean"] == pytest.approx(5.0)
    assert found["tre_max"] == pytest.approx(5.0)


def test_a_start_counts_as_the_beginning(case: Case) -> None:
    points = case.fixed.lattice.to_world(np.array([[20, 20, 15], [18, 22, 14]]))
    shift = np.array([300.0, 10.0, -40.0])
    shifted = replace(case, start=shift, fixed_landmarks=points, moving_landmarks=points + shift)
    assert identity_score(shifted)["tre_mean"] == pytest.approx(0.0, abs=1e-3)


def test_folds_are_counted_where_one_voxel_jumps_over_its_neighbour(case: Case) -> None:
    jump = torch.zeros(3, *case.fixed.lattice.shape)
    jump[0, 20, 20, 15] = 5.0
    found = score(case, DisplacementField.from_index(jump, case.fixed.lattice))
    assert found["folds"] > 0
    assert found["smallest_jacobian"] < 0


def test_hausdorff_distance_is_in_millimetres() -> None:
    lattice = Lattice((30, 20, 20), np.diag([2.0, 1.0, 1.0, 1.0]))
    data = torch.zeros(lattice.shape, dtype=torch.int16)
    data[8:16, 5:15, 5:15] = 4
    labels = LabelMap(data, lattice)
    image = Image(data.float(), lattice)
    case = Case("box", image, image, data > 0, fixed_labels=labels, moving_labels=labels)
    shift = torch.zeros(3, *lattice.shape)
    shift[0] = 6.0  # three voxels of 2 mm
    found = score(case, DisplacementField(shift, lattice))
    assert found["hd95"] == {4: pytest.approx(6.0)}
    assert found["dice"] == {4: pytest.approx(5 / 8)}


def test_random_contrast_keeps_the_body_and_turns_the_order_of_tissues() -> None:
    image, body = textured_ball()
    other = random_contrast(image, body, seed=0, noise=0.0, bias=0.0)
    assert not other.data[~body].any()
    assert torch.equal(other.data, random_contrast(image, body, seed=0, noise=0.0, bias=0.0).data)
    order = image.data[body].argsort()
    steps = other.data[body][order].diff()
    assert (steps > 1e-3).any() and (steps < -1e-3).any()


def test_body_is_the_largest_piece_without_holes() -> None:
    lattice = Lattice((30, 30, 30), np.eye(4))
    data = torch.zeros(lattice.shape)
    data[5:25, 5:25, 5:25] = 100.0
    data[12:18, 12:18, 12:18] = 0.0  # an airway
    data[0:2, 0:2, 0:2] = 100.0  # the table
    body = threshold_body(Image(data, lattice), 50.0)
    assert bool(body[15, 15, 15])
    assert not bool(body[0, 0, 0])

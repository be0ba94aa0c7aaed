"""Registration end to end on a body with a known deformation, in two contrasts, on awkward grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.registration.descent import Level
from dsir.registration.discrete import DiscreteSettings
from dsir.registration.linear import LinearSettings
from dsir.registration.prepared_image import PreparedImage
from dsir.registration.presets import preset
from dsir.registration.register import RegistrationResult, register
from dsir.registration.settings import DescentSettings, RegistrationSettings
from dsir.transforms.composite import Transform
from dsir.transforms.jacobian import fold_report
from dsir.transforms.linear import Linear
from grids import rotation
from phantoms import bend, body_points, bright_on_dark, dark_on_bright, error_mm, lattice_of, render

pytestmark = pytest.mark.slow

GRID = lattice_of()
VOXEL = 3.0


def settings(**changes) -> RegistrationSettings:
    """Quick ones for 3 mm voxels; positions are right from the beginning, and the model need not be chosen."""
    linear = LinearSettings(start="identity", model="rigid")
    changes = {"descriptor": "mind", "device": "cpu", "spacing": VOXEL, "linear": linear, **changes}
    return preset("default", **changes)


def fixed(lattice=GRID) -> Image:
    return render(lattice, dark_on_bright, bend)


def moving(lattice=GRID) -> Image:
    return render(lattice, bright_on_dark)


@pytest.fixture(scope="module")
def plain() -> RegistrationResult:
    """The answer on the plain grids."""
    return register(fixed(), moving(), settings())


def test_the_error_falls_below_two_thirds_of_a_voxel_across_contrasts(plain: RegistrationResult) -> None:
    before, after = error_mm(Transform(), bend), error_mm(plain.transform, bend)
    assert before.mean() > 6.0
    assert np.median(after) < 0.67 * VOXEL and after.mean() < 0.3 * before.mean()


def test_the_report_tells_what_happened(plain: RegistrationResult) -> None:
    report = plain.report
    assert {"prepare", "linear", "features", "discrete", "descent", "finish"} <= set(report["seconds"])
    assert report["similarity"]["start"] < report["similarity"]["linear"] <= report["similarity"]["end"]
    assert report["folds"] == 0 and report["smallest_determinant"] > 0
    assert report["coverage"] > 0.95
    field = plain.displacement(GRID)
    assert field.lattice is GRID and fold_report(field).folds == 0


def test_far_away_only_the_linear_part_moves(plain: RegistrationResult) -> None:
    far = np.array([[500.0, 0, 0], [0, -600, 0], [300, 300, 300]])
    linear = Linear(np.array(plain.report["linear"]["matrix"]))
    np.testing.assert_allclose(plain.transform.transform_points(far), linear.transform_points(far), atol=1e-3)


@pytest.mark.parametrize(
    ("fixed_grid", "moving_grid", "allowed"),
    [
        (lattice_of(flips=(0, 1)), lattice_of(flips=(2,)), 0.2),
        (lattice_of(turn=np.eye(3)[:, [2, 0, 1]], shape=(40, 44, 50)), GRID, 0.2),
        (lattice_of((56, 60, 52), turn=rotation(25), flips=(0,)), lattice_of((58, 58, 54), turn=rotation(-31)), 0.7),
        (lattice_of((70, 78, 24), (2.0, 2.0, 5.0)), lattice_of((34, 60, 46), (4.0, 2.5, 2.8), flips=(1,)), 0.7),
    ],
    ids=["left-handed", "axes in another order", "oblique, one left-handed", "anisotropic, different"],
)
def test_the_grids_make_no_difference(plain: RegistrationResult, fixed_grid, moving_grid, allowed: float) -> None:
    result = register(fixed(fixed_grid), moving(moving_grid), settings())
    points = body_points()
    apart = np.linalg.norm(result.transform.transform_points(points) - plain.transform.transform_points(points), axis=1)
    assert apart.mean() < allowed * VOXEL
    assert error_mm(result.transform, bend).mean() < 1.3 * error_mm(plain.transform, bend).mean() + 0.2


@pytest.fixture(scope="module")
def small() -> tuple[Image, Image]:
    """Voxels of 5 mm."""
    lattice = lattice_of((27, 30, 24), (5.0, 5.0, 5.0))
    return fixed(lattice), moving(lattice)


ONCE = settings(
    spacing=5.0,
    linear=LinearSettings(start="identity", model="translation"),
    discrete=DiscreteSettings(grids=(12.0,), captures=(24.0,)),
    descent=DescentSettings(levels=(Level(iterations=1), Level(iterations=1, place=True))),
)
"""Every stage once and no more: on a busy processor two threads wait for one another at each operation."""


@pytest.fixture(scope="module")
def once(small: tuple[Image, Image]) -> RegistrationResult:
    """By one thread."""
    return register(*small, replace(ONCE, threads=1))


def test_the_same_seed_gives_the_very_same_result_and_inputs_stay(
    once: RegistrationResult, small: tuple[Image, Image]
) -> None:
    copies = [image.data.clone() for image in small]
    state = torch.get_rng_state()
    again = register(*small, replace(ONCE, threads=1))
    assert torch.equal(again.transform.parts[0].vectors, once.transform.parts[0].vectors)
    assert all(torch.equal(image.data, copy) for image, copy in zip(small, copies, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_two_threads_give_what_one_gives(once: RegistrationResult, small: tuple[Image, Image]) -> None:
    two = register(*small, replace(ONCE, threads=2))
    points = body_points()
    apart = np.linalg.norm(once.transform.transform_points(points) - two.transform.transform_points(points), axis=1)
    assert apart.max() < 0.01


def test_the_papers_descent_runs_and_leaves_no_folds() -> None:
    paper = preset("paper").descent.paper
    quick = type(paper)(iterations=(20, 15, 8), rates=(5e-2, 2e-2, 1e-2), diffusion=(0.05, 0.05, 0.05))
    result = register(fixed(), moving(), settings(spacing=3.0, descent=DescentSettings(method="paper", paper=quick)))
    assert result.report["folds"] == 0
    assert error_mm(result.transform, bend).mean() < 0.5 * error_mm(Transform(), bend).mean()


def test_half_of_the_moving_image_missing_is_said_and_the_other_half_is_right(plain: RegistrationResult) -> None:
    whole = moving()
    upper = Image(whole.data[:, :, 20:].clone(), whole.lattice.window(np.array([0, 0, 20]), (44, 50, 20)))
    result = register(fixed(), upper, settings())
    assert any("outside the moving image's field of view" in warning for warning in result.report["warnings"])
    assert 0.4 < result.report["coverage"] < 0.65
    points = body_points()
    points = points[points[:, 2] > 15]
    apart = np.linalg.norm(result.transform.transform_points(points) - plain.transform.transform_points(points), axis=1)
    assert apart.mean() < VOXEL and result.report["folds"] == 0


def test_what_is_to_be_described_is_not_blurred_by_where_its_voxels_fall() -> None:
    lattice = Lattice((40, 8, 8), np.eye(4))

    def wave(x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.sin(2 * np.pi * x / 4.5)).float()[:, None, None].expand(-1, 8, 8)

    image = PreparedImage.of(Image(wave(np.arange(40)), lattice), torch.ones(lattice.shape, dtype=torch.bool), 1.0)
    matrix = np.eye(4)
    matrix[0, 3] = 0.5
    half = Transform((Linear(matrix),))
    errors = [
        float((image.on(lattice, half, cubic=cubic)[0] - wave(np.arange(40) + 0.5))[6:-6].abs().max())
        for cubic in (False, True)
    ]
    assert errors[1] < 0.2 * errors[0]

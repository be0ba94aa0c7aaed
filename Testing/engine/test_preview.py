"""The picture shows the right place, the right way round, at the right size."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from dsir import preview
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.geometry.windows import CT_WINDOWS, fitting_window, window_beside
from dsir.preview import views as reading
from dsir.preview.panels import FOLD, Checkerboard
from dsir.preview.planes import look, planes_through
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from matplotlib.figure import Figure


def tilted(shape: tuple[int, int, int], spacing: tuple[float, ...], degrees: float = 20.0) -> Lattice:
    """Left-handed, axes permuted and turned."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    axes = turn @ np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=float)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = (40, -300, 12)
    return Lattice(shape, affine)


def spot(lattice: Lattice, at: np.ndarray, width: float = 6.0) -> Image:
    """A bright Gaussian spot (mm) on a dim body."""
    world = lattice.to_world(np.moveaxis(np.indices(lattice.shape), 0, -1))
    values = 100 + 900 * np.exp(-((world - at) ** 2).sum(-1) / (2 * width**2))
    return Image(torch.from_numpy(values.astype(np.float32)), lattice)


@pytest.fixture
def lattice() -> Lattice:
    return tilted((30, 40, 24), (2.0, 1.5, 5.0))


def everything(lattice: Lattice) -> torch.Tensor:
    return torch.ones(lattice.shape, dtype=torch.bool)


def test_every_plane_shows_a_spot_where_it_lies(lattice: Lattice) -> None:
    planes = planes_through(lattice, everything(lattice))
    centre = [next(p for p in planes if p.name == n).position for n in ("sagittal", "coronal", "axial")]
    image = spot(lattice, np.array(centre))
    for plane in planes:
        picture = np.nan_to_num(look(image, plane.points))
        brightest = plane.points[np.unravel_index(picture.argmax(), picture.shape)]
        assert np.linalg.norm(brightest - centre) < 3.0


def test_the_display_is_radiological(lattice: Lattice) -> None:
    """In RAS, x grows to the patient's right, y to the front, z to the top."""
    axial, coronal, sagittal = planes_through(lattice, everything(lattice))
    for plane, right, down in (
        (axial, (-1, 0, 0), (0, -1, 0)),  # patient's right at the reader's left, front at the top
        (coronal, (-1, 0, 0), (0, 0, -1)),
        (sagittal, (0, -1, 0), (0, 0, -1)),  # looking to the left
    ):
        across, along = plane.points[0, -1] - plane.points[0, 0], plane.points[-1, 0] - plane.points[0, 0]
        np.testing.assert_allclose(across / np.linalg.norm(across), right, atol=1e-9)
        np.testing.assert_allclose(along / np.linalg.norm(along), down, atol=1e-9)


def test_a_millimetre_is_as_long_in_every_direction(lattice: Lattice) -> None:
    for plane in planes_through(lattice, everything(lattice)):
        steps = np.diff(plane.points, axis=0), np.diff(plane.points, axis=1)
        for step in steps:
            np.testing.assert_allclose(np.linalg.norm(step, axis=-1), plane.pixel, rtol=1e-6)


def test_outside_the_scan_there_is_nothing(lattice: Lattice) -> None:
    image = spot(lattice, lattice.centre)
    assert np.isnan(look(image, lattice.centre + np.array([[[500.0, 0, 0]]]))).all()


def test_the_volume_change_of_a_known_mapping(lattice: Lattice) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[1.2, 0.1, 0], [0, 0.9, 0.05], [0, 0, 1.1]])
    field = DisplacementField.from_affine(matrix, lattice)
    inner = lattice.to_world(np.array([[[10.0, 12, 8], [15, 20, 12]]]))
    np.testing.assert_allclose(reading._determinant(field, inner), np.linalg.det(matrix[:3, :3]), rtol=1e-3)


def test_folds_have_a_colour_of_their_own(lattice: Lattice) -> None:
    matrix = np.diag([-1.0, 1.0, 1.0, 1.0])  # a mirror: every determinant is -1
    field = DisplacementField.from_affine(matrix, lattice)
    image = spot(lattice, lattice.centre)
    figure = preview.draw(preview.views_of(image, image, field, body=everything(lattice)))
    target = io.BytesIO()
    preview.write(figure, target)
    target.seek(0)
    from matplotlib.image import imread

    pixels = imread(target)[..., :3]
    assert (np.abs(pixels - FOLD) < 0.02).all(-1).mean() > 0.01


def test_images_without_common_ground_are_shown_centred(lattice: Lattice) -> None:
    far = np.eye(4)
    far[:3, 3] = 400
    moving = spot(Lattice(lattice.shape, far @ lattice.affine), lattice.centre + 400)
    found = DisplacementField.from_affine(far, lattice)
    fixed = spot(lattice, lattice.centre)
    body = everything(lattice)
    assert preview.views_of(fixed, moving, found, body=body).before_heading == "moving, centred"
    given = preview.views_of(fixed, moving, found, start=Transform((Linear(far),)), body=body)
    assert given.before_heading == "moving, at the start"
    assert given.before[0] == pytest.approx(given.warped[0], abs=1e-3, nan_ok=True)


def test_the_region_that_was_registered_is_drawn_as_a_line(lattice: Lattice) -> None:
    image, body = spot(lattice, lattice.centre), everything(lattice)
    body[:10] = False
    column = preview.overview(preview.views_of(image, image, DisplacementField.identity(lattice), body=body))[0]
    axes = Figure().add_subplot()
    column.paint(axes, 0)
    assert len(axes.collections) == 1 and axes.collections[0].get_paths()[0].vertices.size


def test_a_checkerboard_shows_both_scans_in_turn() -> None:
    board = Checkerboard("", [np.zeros((40, 40))], [np.ones((40, 40))], [10])
    axes = Figure().add_subplot()
    board.paint(axes, 0)
    shown = axes.images[0].get_array()[..., 2]
    assert shown[5, 5] == 0 and shown[5, 15] == 1 and shown[15, 15] == 0 and shown[15, 5] == 1


def hounsfield(share_of_lung: float) -> np.ndarray:
    """A body of 40 HU in air, a part of it lung."""
    values = np.full((40, 40, 40), -1000.0)
    values[5:35, 5:35, 5:35] = 40.0
    values[5:35, 5:35, 5 : 5 + round(30 * share_of_lung)] = -800.0
    values[8:10, 8:10, 20:30] = 900.0
    return values


def test_windows_fit_the_modality() -> None:
    assert fitting_window(hounsfield(0.1)) == CT_WINDOWS["soft tissue"]
    assert fitting_window(hounsfield(0.3)) == CT_WINDOWS["chest"]
    assert fitting_window(hounsfield(0.7)) == CT_WINDOWS["lung"]
    mr = np.random.default_rng(0).uniform(0, 1, (40, 40, 40)) * (hounsfield(0) > -500) * 800
    low, high = fitting_window(mr)
    assert 0 <= low < 30 and 780 < high <= 800
    assert fitting_window(mr, hounsfield(0) > -500)[1] == pytest.approx(high, rel=0.01)
    assert fitting_window(np.zeros((3, 3, 3))) == (0.0, 1.0)


def test_two_cts_are_shown_in_one_window_and_an_mr_beside_a_ct_in_its_own() -> None:
    lung, little_lung = hounsfield(0.7), hounsfield(0.1)
    window = fitting_window(lung)
    assert window_beside(little_lung, None, lung, window) == window
    mr = np.random.default_rng(0).uniform(0, 900, (20, 20, 20))
    assert window_beside(mr, None, lung, window) == fitting_window(mr) != window


def test_a_thin_slab_and_an_empty_body_still_make_a_picture() -> None:
    thin = tilted((40, 40, 2), (1.0, 1.0, 6.0), 0.0)
    image = spot(thin, thin.centre)
    nothing = torch.zeros(thin.shape, dtype=torch.bool)
    views = preview.views_of(image, image, DisplacementField.identity(thin), body=nothing)
    figure = preview.draw(views, ("no folds",))
    target = io.BytesIO()
    preview.write(figure, target)
    assert target.getvalue()[:4] == b"\x89PNG"

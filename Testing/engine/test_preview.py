"""The picture shows the right place, the right way round, at the right size."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from dsir import preview
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from dsir.preview import panels
from dsir.preview.planes import look, planes_through
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear


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
    np.testing.assert_allclose(panels._determinant(field, inner), np.linalg.det(matrix[:3, :3]), rtol=1e-3)


def test_folds_have_a_colour_of_their_own(lattice: Lattice) -> None:
    matrix = np.diag([-1.0, 1.0, 1.0, 1.0])  # a mirror: every determinant is -1
    field = DisplacementField.from_affine(matrix, lattice)
    image = spot(lattice, lattice.centre)
    figure = preview.draw(image, image, field, body=everything(lattice))
    target = io.BytesIO()
    preview.write(figure, target)
    target.seek(0)
    from matplotlib.image import imread

    pixels = imread(target)[..., :3]
    assert (np.abs(pixels - panels.FOLD) < 0.02).all(-1).mean() > 0.01


def test_images_without_common_ground_are_shown_centred(lattice: Lattice) -> None:
    far = np.eye(4)
    far[:3, 3] = 400
    moving = spot(Lattice(lattice.shape, far @ lattice.affine), lattice.centre + 400)
    found = DisplacementField.from_affine(far, lattice)
    planes = planes_through(lattice, everything(lattice))
    views = panels.columns(spot(lattice, lattice.centre), moving, found, Transform(), everything(lattice), planes)
    assert [view.heading for view in views][:3] == ["fixed", "moving, centred", "warped"]
    given = panels.columns(
        spot(lattice, lattice.centre), moving, found, Transform((Linear(far),)), everything(lattice), planes
    )
    assert given[1].heading == "moving, at the start"
    assert given[1].pictures[0] == pytest.approx(given[2].pictures[0], abs=1e-3, nan_ok=True)


def test_a_thin_slab_and_an_empty_body_still_make_a_picture() -> None:
    thin = tilted((40, 40, 2), (1.0, 1.0, 6.0), 0.0)
    image = spot(thin, thin.centre)
    nothing = torch.zeros(thin.shape, dtype=torch.bool)
    figure = preview.draw(image, image, DisplacementField.identity(thin), body=nothing, facts=("no folds",))
    target = io.BytesIO()
    preview.write(figure, target)
    assert target.getvalue()[:4] == b"\x89PNG"

"""What lies over the fixed scan: curtain, checkerboard, maps with their legends, the deformation; by real pixels."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
import slicer.util
import torch
from dsir.files.transforms import write_transform
from dsir.geometry.lattice import Lattice
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from DSIRRegistrationLib.roles import FIXED
from DSIRRegistrationLib.viewer import __main__ as command
from DSIRRegistrationLib.viewer import app as page
from DSIRRegistrationLib.viewer import serving
from DSIRRegistrationLib.viewer.deformation import ARROWS, GRID, NONE
from DSIRRegistrationLib.viewer.maps import CONFIDENCE, JACOBIAN, LENGTH
from DSIRRegistrationLib.viewer.overlays import AFTER, BEFORE
from DSIRRegistrationLib.viewer.picture import grab
from DSIRRegistrationLib.viewer.session import Session
from DSIRRegistrationLib.viewer.stencil import BLEND, CHECKERBOARD, CURTAIN, SQUARE
from mrml_scene import FakeEngine
from scans import GRID as LATTICE
from scans import write_pair
from trame_slicer.core import SlicerApp

SIZE = 300
SHIFT = 6.0
"""mm to the right; the left half of the body grows by a tenth on top of it."""


def growing(lattice: Lattice) -> DisplacementField:
    """x moves by SHIFT, and by a tenth of itself where it is negative: determinants of 1.1 there, and of 1."""
    x = lattice.to_world(np.stack(np.meshgrid(*map(np.arange, lattice.shape), indexing="ij"), -1))[..., 0]
    vectors = torch.zeros(3, *lattice.shape)
    vectors[0] = torch.from_numpy(SHIFT + 0.1 * np.minimum(x, 0))
    return DisplacementField(vectors, lattice)


@pytest.fixture
def session(app: SlicerApp, tmp_path: Path):
    write_transform(tmp_path / "known.h5", Transform((growing(LATTICE),)))
    made = Session(app, *write_pair(tmp_path), transform=tmp_path / "known.h5", launch=FakeEngine(polls=1))
    for view in (view for side in made.sides.values() for view in side.views):
        view.render_window().SetSize(SIZE, SIZE)
        view.fit_view_to_content()
    yield made
    made.close()
    app.scene.Clear(False)


def seen(session: Session, **look) -> np.ndarray:
    """The fixed axial view as it is drawn with this look."""
    for name, value in look.items():
        setattr(session.overlays, name, value)
    session.lay()
    return grab(session.sides[FIXED].views[0]).astype(int)


def test_a_given_transform_is_shown_as_after_at_once(session: Session) -> None:
    assert session.overlays.overlay == AFTER
    warped = slicer.util.arrayFromVolume(session.result.warped)
    assert warped.shape == slicer.util.arrayFromVolume(session.sides[FIXED].volume).shape
    assert np.abs(seen(session, mode=BLEND, opacity=1.0) - seen(session, overlay=BEFORE)).max() > 60


def test_the_curtain_shows_the_fixed_scan_left_and_the_other_right_of_it(session: Session) -> None:
    fixed, other = seen(session, mode=BLEND, opacity=0.0), seen(session, mode=BLEND, opacity=1.0)
    assert np.abs(fixed - other).max() > 60
    for place in (0.3, 0.7):
        curtain, middle = seen(session, mode=CURTAIN, curtain=place), round(place * SIZE)
        assert np.abs(curtain - fixed)[:, : middle - 8].max() < 4
        assert np.abs(curtain - other)[:, middle + 8 :].max() < 4
        assert np.abs(curtain[:, middle] - fixed[:, middle]).max() > 60  # the line itself


def test_the_mouse_drags_the_curtain_and_asks_for_nothing_meanwhile(session: Session) -> None:
    told: list[float] = []
    session.overlays.dragged = told.append
    seen(session, mode=CURTAIN, curtain=0.5)
    interactor = session.sides[FIXED].views[0].interactor()
    for event, x in (("LeftButtonPressEvent", 152), ("MouseMoveEvent", 210), ("LeftButtonReleaseEvent", 210)):
        interactor.SetEventInformation(x, 150, 0, 0)
        interactor.InvokeEvent(event)
    assert told[-1] == pytest.approx(0.7) and session.overlays.curtain == pytest.approx(0.7)
    interactor.SetEventInformation(40, 150, 0, 0)
    interactor.InvokeEvent("MouseMoveEvent")  # the button is up
    assert session.overlays.curtain == pytest.approx(0.7)


def test_squares_of_the_checkerboard_stay_where_they_are_in_the_patient(session: Session) -> None:
    fixed, other = seen(session, mode=BLEND, opacity=0.0), seen(session, mode=BLEND, opacity=1.0)
    board = seen(session, mode=CHECKERBOARD)
    view = session.sides[FIXED].views[0].get_view_node()
    right = np.abs(fixed - other).max(-1) > 40
    y, x = np.nonzero(right)
    points = np.array([view.GetXYToRAS().MultiplyPoint((a, SIZE - 1 - b, 0, 1))[:3] for a, b in zip(x, y, strict=True)])
    away = np.abs(points[:, :2] / SQUARE - np.rint(points[:, :2] / SQUARE)).min(1) > 0.1  # pixels not at a border
    odd = (np.floor(-points[:, 0] / SQUARE) + np.floor(points[:, 1] / SQUARE)) % 2 == 1  # the view runs from R to L
    shows_other = np.abs(board - other).max(-1)[y, x] < 4
    assert away.sum() > 500 and np.array_equal(shows_other[away], odd[away])


def test_maps_have_the_values_of_the_mapping_and_a_legend_with_its_unit(session: Session) -> None:
    seen(session, overlay=JACOBIAN, mode=BLEND, opacity=0.5)
    made = session.result.maps.get(JACOBIAN, session.result.transform)
    values = slicer.util.arrayFromVolume(made.volume)
    middle = [n // 2 for n in values.shape]
    assert values[middle[0], middle[1], middle[2] - 8] == pytest.approx(1.1, abs=0.01)
    assert values[middle[0], middle[1], middle[2] + 8] == pytest.approx(1.0, abs=0.01)
    assert values[0, 0, 0] < -1000  # nothing is shown in the air
    assert "1.00 to 1.10 in the body" in session.overlays.map_legend.said
    seen(session, overlay=LENGTH)
    assert session.overlays.map_legend.title == "displacement (mm)"
    length = slicer.util.arrayFromVolume(session.result.maps.get(LENGTH, session.result.transform).volume)
    assert length[middle[0], middle[1], middle[2] + 8] == pytest.approx(SHIFT, abs=0.05)


def test_the_jacobian_is_blue_where_it_shrinks_white_where_nothing_changes_red_where_it_grows(session: Session) -> None:
    shown = seen(session, overlay=JACOBIAN, mode=BLEND, opacity=1.0)
    left, right = shown[150, 205], shown[150, 95]  # the patient's left is on the right, and grows
    assert left[0] > left[2] + 10 and np.ptp(right) < 12


def test_the_confidence_comes_from_the_engine(session: Session) -> None:
    assert session.result.maps.get(CONFIDENCE, session.result.transform) is None
    for _ in session.result.confidence("mind", lambda *_: None):
        pass
    words = session.launch.started[-1]
    assert words[0] == "confidence" and "--transform" in words
    seen(session, overlay=CONFIDENCE)
    assert session.overlays.map_legend.title.startswith("confidence")
    assert "of the body below 0.5" in session.overlays.map_legend.said


def test_grid_and_arrows_show_where_points_go(session: Session) -> None:
    plain = seen(session, mode=BLEND, opacity=0.0, drawn=NONE)
    grid, arrows = seen(session, drawn=GRID), seen(session, drawn=ARROWS)
    assert np.array_equal(seen(session, drawn=NONE), plain)
    columns = (np.abs(grid - plain).max(-1) > 60).mean(0)
    lines = np.flatnonzero(columns > 0.5)
    view = session.sides[FIXED].views[0].get_view_node()
    places = np.array([view.GetXYToRAS().MultiplyPoint((x, 150.0, 0.0, 1.0))[0] for x in lines])
    still = places[places > SHIFT + 3]  # where nothing grows, lines lie at whole multiples of 12 mm, moved by SHIFT
    off = (still - SHIFT) / 12 - np.rint((still - SHIFT) / 12)
    assert len(still) > 2 and np.abs(off).max() < 0.12
    assert (np.abs(arrows - plain).max(-1) > 60).sum() > 200


def test_a_linear_transform_has_maps_too(app: SlicerApp, tmp_path: Path) -> None:
    matrix = np.eye(4)
    matrix[0, 3] = 3.0
    write_transform(tmp_path / "shift.tfm", Transform((Linear(matrix),)))
    session = Session(app, *write_pair(tmp_path), transform=tmp_path / "shift.tfm", launch=FakeEngine())
    made = session.result.maps.get(LENGTH, session.result.transform)
    assert made.legend.said == "3.0 to 3.0 mm in the body"
    session.close()
    app.scene.Clear(False)


def test_the_command_line_hands_the_transform_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(command, "keep_none_alive", lambda: None)
    monkeypatch.setattr(page, "Viewer", lambda *scans, **options: given.update(options, scans=scans))
    monkeypatch.setattr(serving, "serve", lambda viewer, **options: given.update(options))
    monkeypatch.setattr(sys, "argv", ["view", "a.nii", "b.nii", "--transform", "known.h5", "--no-browser"])
    assert command.main() == 0
    assert (given["scans"], given["transform"]) == ((Path("a.nii"), Path("b.nii")), Path("known.h5"))
    assert not given["browser"]

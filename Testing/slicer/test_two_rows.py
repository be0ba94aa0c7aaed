"""While points are asked for: fixed above, moving below, linked, on Slicer's real slice views; the user's own layout
comes back."""

import numpy as np
import pytest
import slicer
from DSIRRegistrationLib.nodes.volumes import lattice_of
from DSIRRegistrationLib.two_rows import LAYOUT, PLANES, tag
from shown_panel import finish
from slice_views import vtkCommand

OWN = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


@pytest.fixture
def asking(widget, chosen, slice_views):
    """*Place a point* was pressed and both scans are described."""
    chosen.parameters.descriptor = "mind"
    chosen.ui.placeButton.click()
    finish(widget)
    return chosen


def layout(scene) -> int:
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()


def centre(node) -> np.ndarray:
    """(3,) RAS mm of the middle of a view."""
    return np.array(slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()))[:3, 3]


def test_two_rows_come_when_it_begins_and_the_users_own_views_come_back(asking, scene) -> None:
    assert layout(scene) == LAYOUT and asking.ui.ownViewsButton.enabled
    for side, volume in (("fixed", asking.parameters.fixed), ("moving", asking.parameters.moving)):
        for plane in PLANES:
            composite = scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag(side, plane)}")
            assert composite.GetBackgroundVolumeID() == volume.GetID()
            assert scene.GetNodeByID(f"vtkMRMLSliceNode{tag(side, plane)}").GetOrientation() == plane
    asking.ui.ownViewsButton.click()
    assert layout(scene) == OWN and not asking.ui.ownViewsButton.enabled
    asking.ui.placeButton.click()
    assert layout(scene) == LAYOUT
    asking.exit()
    assert layout(scene) == OWN


def test_the_views_show_both_scans(asking, slice_views) -> None:
    for side in ("fixed", "moving"):
        picture = np.asarray(slice_views.sliceWidget(tag(side, "Axial")).picture())
        assert (picture.max(-1) > 60).mean() > 0.03


def test_a_layout_that_the_user_chose_meanwhile_stays(asking, scene) -> None:
    chosen = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
    scene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(chosen)
    asking.similarity.stop()
    assert layout(scene) == chosen


def test_a_saved_scene_has_the_users_own_layout(asking, scene) -> None:
    scene.StartState(scene.SaveState)  # as the application does around saving
    assert layout(scene) == OWN
    scene.EndState(scene.SaveState)


def test_showing_the_result_gives_the_views_back(widget, asking, scene) -> None:
    asking.ui.applyButton.click()
    finish(widget)
    assert layout(scene) == OWN


def test_scrolling_one_row_scrolls_the_other_to_the_same_anatomy(widget, asking, scene) -> None:
    from DSIRRegistrationLib.nodes.transforms import map_points

    above, below = (scene.GetNodeByID(f"vtkMRMLSliceNode{tag(side, 'Axial')}") for side in ("fixed", "moving"))
    apart = lattice_of(asking.parameters.moving).centre - lattice_of(asking.parameters.fixed).centre
    above.SetSliceOffset(above.GetSliceOffset() + 4)
    assert np.allclose(centre(below), centre(above) + apart, atol=1e-6)
    below.SetSliceOffset(below.GetSliceOffset() - 3)
    assert np.allclose(centre(below), centre(above) + apart, atol=1e-6)
    asking.ui.applyButton.click()
    finish(widget)
    asking.ui.placeButton.click()
    above.SetSliceOffset(above.GetSliceOffset() + 2)
    expected = map_points(asking.parameters.transform, centre(above)[None], to_moving=True)[0]
    assert np.allclose(centre(below), expected, atol=1e-3)
    wide = above.GetFieldOfView()
    above.SetFieldOfView(wide[0] / 2, wide[1] / 2, wide[2])
    assert below.GetFieldOfView()[0] == pytest.approx(wide[0] / 2)


def test_a_click_in_a_row_says_which_scan_is_asked_and_both_rows_go_there(asking, scene, slice_views) -> None:
    from DSIRRegistrationLib import views

    place = lattice_of(asking.parameters.fixed).centre + np.array([2.0, -3.0, 0.0])
    view = slice_views.sliceWidget(tag("fixed", "Axial"))
    view.node.JumpSliceByOffsetting(*place)
    view.click(place)
    shown = asking.similarity.shown
    assert shown is not None and shown.side == "fixed" and np.linalg.norm(shown.point - place) < 1.5
    for side, where in (("fixed", shown.point), ("moving", shown.match)):
        node = scene.GetNodeByID(f"vtkMRMLSliceNode{tag(side, 'Coronal')}")
        assert node.GetSliceOffset() == pytest.approx(where[1], abs=1e-3)
    heat = scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag('moving', 'Axial')}")
    assert heat.GetForegroundVolumeID() == asking.similarity.session.heat.volume.GetID()
    assert heat.GetForegroundOpacity() == views.HEAT_OPACITY
    assert asking.similarity.point.node.GetDisplayNode().GetViewNodeIDs()[0].endswith("DSIRFixedAxial")

    asking.ui.placeButton.click()
    below = lattice_of(asking.parameters.moving).centre
    view = slice_views.sliceWidget(tag("moving", "Axial"))
    view.node.JumpSliceByOffsetting(*below)
    view.click(below)
    assert asking.similarity.shown.side == "moving" and asking.ui.sideSelector.currentIndex == 1


def test_dragging_the_point_asks_all_along_and_ends_where_it_is_let_go(asking, slice_views, monkeypatch) -> None:
    from DSIRRegistrationLib import querypoint

    monkeypatch.setattr(querypoint, "PAUSE", 0.0)
    start = lattice_of(asking.parameters.fixed).centre
    view = slice_views.sliceWidget(tag("fixed", "Axial"))
    view.node.JumpSliceByOffsetting(*start)
    view.click(start)
    asked = []
    ask = asking.similarity.session.ask
    monkeypatch.setattr(asking.similarity.session, "ask", lambda *a, **k: asked.append(a[1]) or ask(*a, **k))
    view.picture()
    path = [start + np.array([step, 0.0, 0.0]) for step in range(9)]
    view.drag(path)
    assert len(asked) >= len(path) - 2
    assert np.linalg.norm(asked[-1] - path[-1]) < 1.5
    assert np.linalg.norm(asking.similarity.shown.point - path[-1]) < 1.5


def test_hovering_asks_the_row_the_mouse_is_over(widget, asking, slice_views) -> None:
    asking.ui.hoverButton.setChecked(True)
    place = lattice_of(asking.parameters.moving).centre
    view = slice_views.sliceWidget(tag("moving", "Sagittal"))
    view.node.JumpSliceByOffsetting(*place)
    view.mouse(vtkCommand.MouseMoveEvent, place)
    assert asking.similarity.shown.side == "moving" and np.linalg.norm(asking.similarity.shown.point - place) < 1.5

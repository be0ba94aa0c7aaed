"""Click, accept, refine: the steering of the panel."""

import numpy as np
import pytest
import slicer
import vtk
from dsir.transforms.linear import Linear
from DSIRRegistrationLib.nodes.volumes import lattice_of
from mrml_scene import affine, known_transform
from shown_panel import finish, words


@pytest.fixture
def asked(widget, chosen, pair):
    """A point is placed in the fixed scan and its match is shown."""
    chosen.parameters.descriptor = "mind"
    chosen.ui.placeButton.click()
    finish(widget)
    chosen.similarity.point.place(lattice_of(pair[0]).centre)
    return chosen


def test_a_click_asks_the_other_scan_and_nothing_of_it_stays_but_the_pair(asked, scene) -> None:
    assert "similarity" in asked.ui.similarityLabel.text
    asked.ui.acceptButton.click()
    assert asked.parameters.fixedPairs.GetNumberOfControlPoints() == 1
    assert "Pairs: 1" in asked.ui.pairsLabel.text and not asked.ui.acceptButton.enabled
    asked.similarity.point.place(np.array([500.0, 0, 0]))
    assert "similarity" not in asked.ui.similarityLabel.text and not asked.ui.acceptButton.enabled
    asked.similarity.stop()
    names = [scene.GetNthNode(n).GetName() or "" for n in range(scene.GetNumberOfNodes())]
    assert not {"Similarity", "Query point", "best match", "where the transform puts it"} & set(names)
    assert {"DSIR pairs (fixed)", "DSIR pairs (moving)"} <= set(names)


def test_the_hill_of_a_faint_match_is_seen_too(asked) -> None:
    heat, best = asked.similarity.session.heat, asked.similarity.shown.answer.best.similarity
    assert 0 < heat.threshold == min(0.3, 0.6 * best) < best


def test_the_box_says_whether_the_surroundings_have_a_say_and_the_point_is_asked_again(asked) -> None:
    assert not asked.similarity.shown.answer.alone
    former = asked.similarity.shown
    asked.ui.surroundingsCheckBox.setChecked(False)
    assert asked.similarity.shown.answer.alone
    assert np.array_equal(asked.similarity.shown.point, former.point)


def test_accepted_pairs_go_with_apply(widget, asked) -> None:
    asked.ui.acceptButton.click()
    assert "steer the run: 1" in words(asked.ui.preflightLabel) and not asked.ui.refineButton.enabled
    asked.ui.applyButton.click()
    finish(widget)
    arguments = asked.logic.launch.started[-1]
    assert "--landmarks" in arguments and "--refine" not in arguments
    assert asked.ui.refineButton.enabled


def test_refine_begins_from_the_result_and_ends_at_the_last_click(widget, asked, scene) -> None:
    asked.ui.applyButton.click()
    finish(widget)
    asked.ui.cursorCheck.setChecked(True)
    scene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCursorPositionRAS([3.0, 4.0, 5.0])
    transform, marker = asked.parameters.transform, asked.review.views._cursor.place
    asked.similarity.ask_again()
    asked.ui.acceptButton.click()
    asked.logic.launch.transform = lambda lattice: known_transform(lattice).then(
        Linear(affine((1, 1, 1), origin=(4, 0, 0)))
    )
    asked.ui.refineButton.click()
    finish(widget)
    arguments = asked.logic.launch.started[-1]
    assert {"--refine", "--landmarks", "--brief"} <= set(arguments) and "--initial" not in arguments
    assert asked.parameters.transform is transform
    assert asked.similarity.shown is not None and "similarity" in asked.ui.similarityLabel.text
    expected = scene.GetFirstNodeByName("where the transform puts it").GetNthControlPointPositionWorld(0)
    assert np.allclose(expected, asked.similarity.shown.expected)
    assert np.allclose(
        asked.review.views._cursor.place, marker + np.array([4.0, 0, 0]), atol=0.05
    )  # without the mouse being moved


def test_refine_works_on_a_moving_scan_below_the_result(widget, asked) -> None:
    asked.parameters.applyToMoving = True
    asked.ui.applyButton.click()
    finish(widget)
    assert asked.parameters.moving.GetParentTransformNode() is asked.parameters.transform
    asked.similarity.ask_again()
    asked.ui.acceptButton.click()
    asked.ui.refineButton.click()
    finish(widget)
    assert words(asked.ui.messageLabel).startswith("Refined")


def test_pairs_are_taken_back_and_odd_ones_named(asked) -> None:
    asked.ui.acceptButton.click()
    asked.ui.takeBackButton.click()
    assert "No pairs yet" in asked.ui.pairsLabel.text and not asked.ui.takeBackButton.enabled
    asked.similarity.ask_again()
    asked.ui.acceptButton.click()
    asked.parameters.fixedPairs.AddControlPoint(vtk.vtkVector3d(1, 2, 3))
    asked._refresh()
    assert "same points in both" in asked.ui.applyButton.toolTip and "2 points" in asked.ui.pairsLabel.text


def test_pairs_come_back_with_a_saved_scene(widget, asked, scene, tmp_path) -> None:
    asked.ui.acceptButton.click()
    where = np.array(asked.parameters.movingPairs.GetNthControlPointPosition(0))
    scene.RegisterNodeClass(slicer.vtkMRMLMarkupsJsonStorageNode())  # the Markups module has done it in Slicer
    for role in ("fixed", "moving"):  # as the application does for each storable node
        node = getattr(asked.parameters, f"{role}Pairs")
        storage = scene.AddNewNodeByClass("vtkMRMLMarkupsJsonStorageNode")
        storage.SetFileName(str(tmp_path / f"{role}.mrk.json"))
        node.SetAndObserveStorageNodeID(storage.GetID())
        assert storage.WriteData(node)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    scene.Clear(False)
    assert scene.Import()
    widget.enter()
    assert np.allclose(asked.parameters.movingPairs.GetNthControlPointPosition(0), where, atol=1e-3)
    assert asked.parameters.fixedPairs.GetNthControlPointDescription(0).startswith("confidence")


def test_the_keys_press_the_buttons_while_the_module_is_shown(widget, asked, scene) -> None:
    import qt
    from DSIRRegistrationLib import hotkeys
    from standin.application import Shown

    Shown.window = widget.parent
    widget.enter()
    try:
        keys = {shortcut.key().toString(): shortcut for shortcut in asked.hotkeys._shortcuts}
        assert set(keys) == {*hotkeys.BUTTONS, "?"}
        keys["Shift+A"].activated.emit()
        assert "Pairs: 1" in asked.ui.pairsLabel.text
        keys["Shift+Z"].activated.emit()
        assert "No pairs yet" in asked.ui.pairsLabel.text
        keys["Shift+R"].activated.emit()
        assert asked.run is None  # there is nothing to refine: a button that is off stays off
        keys["?"].activated.emit()
        assert "accept the pair" in words(asked.ui.messageLabel)
        assert asked.ui.acceptButton.toolTip.endswith("Key: Shift+A")
        assert isinstance(keys["1"], qt.QShortcut)
        widget.exit()
        assert asked.hotkeys._shortcuts == []
    finally:
        Shown.window = None

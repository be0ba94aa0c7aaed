"""The panel as its users meet it: choose, read why Apply is off, apply, watch, cancel, save, load, close."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from dsir.transform import Linear
from DSIRRegistrationLib.nodes.volumes import lattice_of
from mrml_scene import ROOT, FakeEngine, affine, ball, known_transform, node_ids
from test_nodes_structures import add_segmentation

pytest.importorskip("PySide6.QtWidgets", reason="PySide6 (the Qt below the stand-in for PythonQt) is not installed")

import standin

FACE = ROOT / "DSIRRegistration" / "DSIRRegistration.py"


@pytest.fixture
def widget(scene, engine):
    """The module's widget, shown, with an engine that gives known answers."""
    standin.install(FACE)
    import qt

    from DSIRRegistration import DSIRRegistrationWidget

    widget = DSIRRegistrationWidget()
    widget.parent.show()
    widget.enter()
    widget.panel.logic.launch = engine
    widget.events = qt.QApplication.processEvents
    yield widget
    widget.cleanup()
    for selector in widget.parent.findChildren(slicer.qMRMLNodeComboBox):
        selector.setMRMLScene(None)
    widget.parent.hide()
    widget.parent.deleteLater()
    qt.QApplication.processEvents()


@pytest.fixture
def panel(widget):
    return widget.panel


@pytest.fixture
def chosen(panel, pair):
    """Both scans are chosen."""
    panel.parameters.fixed, panel.parameters.moving = pair
    return panel


def finish(widget, seconds: float = 60) -> None:
    """Let the timer work until the run has ended."""
    end = time.monotonic() + seconds
    while widget.panel.run is not None and time.monotonic() < end:
        widget.events()
        time.sleep(0.005)
    assert widget.panel.run is None


def words(label) -> str:
    import re

    return re.sub("<[^>]*>", " ", label.text).strip()


def test_apply_is_off_and_says_why(panel) -> None:
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Choose the fixed volume. Choose the moving volume."
    assert "Choose the fixed volume" in words(panel.ui.preflightLabel)


def test_two_scans_switch_it_on_and_their_cost_is_said(chosen) -> None:
    assert chosen.ui.applyButton.enabled
    assert "22 × 20 × 24 voxels" in words(chosen.ui.preflightLabel)
    assert "GB of memory" in words(chosen.ui.preflightLabel)


def test_choosing_in_the_selector_is_choosing_in_the_scene(panel, pair) -> None:
    panel.ui.fixedSelector.setCurrentNode(pair[0])
    assert panel.parameters.fixed is pair[0]
    panel.ui.presetSelector.currentIndex = 1
    assert panel.parameters.preset == "fast"


def test_every_setting_reaches_the_task(chosen) -> None:
    from DSIRRegistrationLib.parameters import task

    p = chosen.parameters
    assert task(p).settings == {"device": "auto", "threads": 0, "seed": 0}
    p.descriptor, p.start, p.capture, p.spacing = "mind", "centre", 60.0, 3.0
    p.threads, p.seed, p.device = 2, 7, "cpu"
    assert task(p).settings == {
        "device": "cpu",
        "threads": 2,
        "seed": 7,
        "descriptor": "mind",
        "spacing": 3.0,
        "discrete": {"captures": [60.0, 12.0]},
        "linear": {"start": "centre"},
    }


def test_the_choices_are_the_engines_own() -> None:
    standin.install(FACE)
    from dsir.registration.settings import PRESETS, RegistrationSettings, preset
    from DSIRRegistrationLib import parameters, preflight

    assert set(parameters.PRESETS) == set(PRESETS) == set(preflight.SPACING)
    assert all(preflight.SPACING[name] == preset(name).spacing for name in PRESETS)
    changes = {"discrete": {"captures": [60.0, 12.0]}, "linear": {"start": "axes", "model": "rigid"}, "spacing": 3.0}
    read = RegistrationSettings.from_json({**changes, "device": "cpu", "threads": 0, "seed": 0})
    assert read.spacing == 3.0 and len(read.discrete.captures) == len(RegistrationSettings().discrete.captures)


def test_apply_ends_with_a_result_in_the_views_and_in_the_table(widget, chosen) -> None:
    from standin.application import Shown

    chosen.ui.applyButton.click()
    assert chosen.ui.cancelButton.enabled and not chosen.ui.applyButton.enabled
    assert chosen.ui.progressBar.isVisible() and not chosen.ui.scansSection.enabled
    finish(widget)
    p = chosen.parameters
    assert words(chosen.ui.messageLabel) == "Done."
    assert p.transform is not None and p.warped is not None
    assert Shown.layers["background"] is p.fixed and Shown.layers["foreground"] is p.warped
    table = chosen.ui.qualityTable
    cells = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}
    assert cells["Similarity"] == "0.20 → 0.70" and cells["Folds"].startswith("none")
    assert "Something to look at." in words(chosen.ui.warningsLabel)
    assert p.moving.GetParentTransformNode() is None


def test_progress_is_seen_while_it_works(widget, chosen) -> None:
    chosen.logic.launch = FakeEngine(polls=10**6)
    chosen.ui.applyButton.click()
    end = time.monotonic() + 30
    while chosen.ui.progressBar.value < 500 and time.monotonic() < end:
        widget.events()
        time.sleep(0.01)
    assert chosen.ui.stageLabel.text == "descent: 4 mm"


def test_cancel_leaves_the_scene_as_it_was(widget, chosen, scene) -> None:
    engine = chosen.logic.launch = FakeEngine(polls=10**6)
    before = node_ids(scene)
    chosen.ui.applyButton.click()
    end = time.monotonic() + 30
    while not engine.processes and time.monotonic() < end:
        widget.events()
    chosen.ui.cancelButton.click()
    assert engine.processes[0].ended and node_ids(scene) == before
    assert words(chosen.ui.messageLabel) == "Cancelled; nothing was changed."
    assert chosen.ui.applyButton.enabled and not chosen.ui.progressBar.isVisible()


def test_an_error_is_one_sentence_with_the_log_below_it(widget, chosen) -> None:
    class Breaks(FakeEngine):
        def register(self, arguments):
            print("deep inside\ndsir: Something broke inside dsir; nothing was written.", file=sys.stderr)
            return 1

    chosen.logic.launch = Breaks()
    chosen.ui.applyButton.click()
    finish(widget)
    assert words(chosen.ui.messageLabel) == "Something broke inside dsir; nothing was written."
    assert "deep inside" in chosen.ui.logText.plainText and chosen.ui.logSection.isVisible()
    assert chosen.ui.applyButton.enabled


def test_a_second_run_writes_into_the_same_nodes(widget, chosen, scene) -> None:
    chosen.ui.applyButton.click()
    finish(widget)
    after_one = node_ids(scene)
    chosen.ui.applyButton.click()
    finish(widget)
    assert node_ids(scene) == after_one


def test_closing_the_scene_ends_the_run(widget, chosen, scene) -> None:
    engine = chosen.logic.launch = FakeEngine(polls=10**6)
    chosen.ui.applyButton.click()
    end = time.monotonic() + 30
    while not engine.processes and time.monotonic() < end:
        widget.events()
    scene.Clear(False)
    widget.events()
    assert engine.processes[0].ended and chosen.run is None
    assert chosen.parameters.fixed is None and not chosen.ui.applyButton.enabled


def test_leaving_the_module_does_not_stop_the_run(widget, chosen) -> None:
    chosen.ui.applyButton.click()
    widget.exit()
    finish(widget)
    widget.enter()
    assert chosen.parameters.transform is not None and chosen.ui.qualityTable.rowCount > 3


def test_the_panel_comes_back_with_a_saved_scene(widget, chosen, scene, tmp_path) -> None:
    from DSIRRegistrationLib import parameters

    lattice_marks = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "marks")
    lattice_marks.AddControlPoint(vtk.vtkVector3d(1, 2, 3))
    parameters.set_structures(chosen.parameters, [lattice_marks])
    chosen.parameters.preset, chosen.parameters.capture = "accurate", 25.0
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    scene.Clear(False)
    for name, shape in (("CT", (22, 20, 24)), ("MR", (24, 22, 20))):
        assert scene.GetFirstNodeByName(name) is None, shape
    assert scene.Import()
    widget.enter()
    p = chosen.parameters
    assert (p.preset, p.capture) == ("accurate", 25.0)
    assert p.fixed.GetName() == "CT" and p.moving.GetName() == "MR"
    assert [node.GetName() for node in parameters.structures(p)] == ["marks"]


def test_a_segment_can_be_the_mask(chosen, pair, scene) -> None:
    from DSIRRegistrationLib.parameters import task

    lattice = lattice_of(pair[0])
    organs = add_segmentation(scene, pair[0], {"Body": ball(lattice, lattice.centre, 15)})
    chosen.parameters.fixedMask = organs
    assert "which segment of organs is the fixed mask" in chosen.ui.applyButton.toolTip
    chosen.ui.fixedSegmentSelector.setCurrentIndex(1)
    assert chosen.ui.applyButton.enabled and task(chosen.parameters).fixed_mask.segment == "Body"


def test_what_is_checked_is_carried(widget, chosen, pair, scene) -> None:
    import qt

    marks = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "marks")
    marks.AddControlPoint(vtk.vtkVector3d(0, 0, 0))
    chosen.ui.structuresSelector.setCheckState(marks, qt.Qt.Checked)
    chosen.ui.applyButton.click()
    finish(widget)
    assert scene.GetFirstNodeByName("marks on CT") is not None
    assert words(chosen.ui.messageLabel) == "Done. Carried: 1."


def test_the_moving_volume_goes_under_the_transform_only_when_asked(widget, chosen, pair, scene) -> None:
    parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "couch")
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(affine((1, 1, 1), origin=(5, 0, 0))))
    pair[1].SetAndObserveTransformNodeID(parent.GetID())
    chosen.parameters.applyToMoving = True
    chosen.ui.applyButton.click()
    finish(widget)
    between = pair[1].GetParentTransformNode()
    assert between.GetParentTransformNode() is chosen.parameters.transform
    assert parent.GetParentTransformNode() is None
    point = np.array(slicer.util.arrayFromTransformMatrix(between))[:3, 3]
    assert np.allclose(point, (5, 0, 0))


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda p, scene: setattr(p, "moving", p.fixed), "same volume"),
        (lambda p, scene: setattr(p, "warped", p.fixed), "is an input"),
        (lambda p, scene: _start_that_is_applied(p, scene), "counts twice"),
        (lambda p, scene: _far_away(p), "do not overlap"),
        (lambda p, scene: _bent(p, scene), "non-linear transform"),
    ],
)
def test_what_stands_in_the_way_is_said_before_apply(chosen, scene, prepare, sentence) -> None:
    prepare(chosen.parameters, scene)
    chosen._refresh()
    assert sentence in words(chosen.ui.preflightLabel)


def _start_that_is_applied(p, scene) -> None:
    p.initial = scene.AddNewNodeByClass("vtkMRMLTransformNode", "start")
    p.moving.SetAndObserveTransformNodeID(p.initial.GetID())


def _far_away(p) -> None:
    p.moving.SetOrigin(1000, 0, 0)
    p.start = "identity"


def _bent(p, scene) -> None:
    bent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bent")
    bent.SetAndObserveTransformFromParent(slicer.vtkOrientedGridTransform())
    p.fixed.SetAndObserveTransformNodeID(bent.GetID())


def test_missing_packages_are_named_and_can_be_installed(chosen, monkeypatch) -> None:
    from DSIRRegistrationLib import dependencies

    monkeypatch.setattr(dependencies, "missing", lambda: ("torch",))
    chosen._refresh()
    assert "missing: torch" in chosen.ui.applyButton.toolTip and chosen.ui.installButton.isVisible()
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    chosen.install()
    assert "Extensions Manager" in words(chosen.ui.messageLabel)


def test_the_views_show_what_the_buttons_say(widget, chosen) -> None:
    from DSIRRegistrationLib.nodes.volumes import array_of
    from standin.application import Shown

    assert not chosen.ui.checkerButton.enabled
    chosen.parameters.withJacobian = True
    chosen.ui.applyButton.click()
    finish(widget)
    chosen.ui.warpedViewButton.click()
    assert Shown.layers["foregroundOpacity"] == 1.0
    chosen.ui.blendSlider.setValue(0.25)
    assert Shown.layers["foregroundOpacity"] == 0.25
    chosen.ui.checkerButton.click()
    board = Shown.layers["background"]
    assert not board.GetSaveWithScene() and array_of(board).min() >= 0 and array_of(board).max() <= 1
    chosen.ui.jacobianViewButton.click()
    assert Shown.layers["foreground"] is chosen.parameters.jacobian


def test_the_map_of_certainty_judges_what_is_carried(widget, chosen, pair, scene) -> None:
    from DSIRRegistrationLib.parameters import set_structures
    from standin.application import Shown

    lattice = lattice_of(pair[1])
    organ = add_segmentation(scene, pair[1], {"Organ": ball(lattice, lattice.centre, 14)})
    set_structures(chosen.parameters, [organ])
    chosen.ui.certaintyCheck.setChecked(True)
    chosen.ui.applyButton.click()
    finish(widget)
    table = chosen.ui.qualityTable
    cells = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}
    assert "of the body" in cells["Doubtful"] and cells["Organ"].startswith("certainty 0.")
    found = chosen.parameters.certainty
    assert found.GetImageData().GetScalarRange()[1] <= 1.0
    bounds = np.zeros(6)
    found.GetRASBounds(bounds)
    assert (bounds[::2] < lattice_of(pair[0]).centre).all() and (bounds[1::2] > lattice_of(pair[0]).centre).all()
    chosen.ui.certaintyViewButton.click()
    assert Shown.layers["foreground"] is found


def test_the_linked_cursor_follows_the_mouse_into_moving_space(widget, chosen, scene) -> None:
    from DSIRRegistrationLib.nodes.transforms import map_points

    chosen.ui.applyButton.click()
    finish(widget)
    chosen.ui.cursorCheck.setChecked(True)
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS([3.0, 4.0, 5.0])
    expected = map_points(chosen.parameters.transform, np.array([[3.0, 4.0, 5.0]]), to_moving=True)[0]
    assert np.allclose(chosen.review._cursor.place, expected, atol=1e-4)
    chosen.ui.cursorCheck.setChecked(False)
    assert scene.GetFirstNodeByName("DSIR linked cursor") is None


def test_landmarks_are_evaluated_in_the_panel(widget, chosen, scene) -> None:
    chosen.ui.applyButton.click()
    finish(widget)
    assert not chosen.ui.evaluateButton.enabled
    for name in ("fixedLandmarks", "movingLandmarks"):
        node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        node.AddControlPoint(vtk.vtkVector3d(5, 5, 5), "apex")
        setattr(chosen.parameters, name, node)
    chosen.ui.evaluateButton.click()
    finish(widget)
    table = chosen.ui.qualityTable
    assert "Landmarks (1)" in {table.item(row, 0).text() for row in range(table.rowCount)}


def test_the_panel_opens_on_a_slicer_that_lacks_every_package_it_could_lack() -> None:
    import subprocess

    program = f"""
        import sys
        sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(FACE.parent)!r}]
        import slicer
        from pathlib import Path
        import standin
        for name in ("torch", "nibabel", "safetensors", "scipy", "SimpleITK", "matplotlib", "surface_distance"):
            sys.modules[name] = None
        for name in ("threadpoolctl", "rich", "pydicom"):
            sys.modules[name] = None
        slicer.mrmlScene = slicer.vtkMRMLScene()
        standin.install(Path({str(FACE)!r}))
        from DSIRRegistrationLib import dependencies
        dependencies.missing = lambda: ("torch",)
        from DSIRRegistration import DSIRRegistrationWidget
        widget = DSIRRegistrationWidget()
        print(widget.ui.applyButton.toolTip)
    """
    lines = [line.removeprefix("        ") for line in program.splitlines()]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120)
    assert "missing: torch" in done.stdout, done.stderr


@pytest.fixture
def asked(widget, chosen, pair):
    """A point is placed in the fixed scan and its match is shown."""
    chosen.parameters.descriptor = "mind"
    chosen.ui.placeButton.click()
    finish(widget)
    chosen.clicking.point.place(lattice_of(pair[0]).centre)
    return chosen


def test_a_click_asks_the_other_scan_and_nothing_of_it_stays_but_the_pair(asked, scene) -> None:
    assert "similarity" in asked.ui.similarityLabel.text
    asked.ui.acceptButton.click()
    assert asked.parameters.fixedPairs.GetNumberOfControlPoints() == 1
    assert "Pairs: 1" in asked.ui.pairsLabel.text and not asked.ui.acceptButton.enabled
    asked.clicking.point.place(np.array([500.0, 0, 0]))
    assert "similarity" not in asked.ui.similarityLabel.text and not asked.ui.acceptButton.enabled
    asked.clicking.stop()
    names = [scene.GetNthNode(n).GetName() or "" for n in range(scene.GetNumberOfNodes())]
    assert not {"Similarity", "Query point", "best match", "where the transform puts it"} & set(names)
    assert {"DSIR pairs (fixed)", "DSIR pairs (moving)"} <= set(names)


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
    transform, marker = asked.parameters.transform, asked.review._cursor.place
    asked.clicking.ask_again()
    asked.ui.acceptButton.click()
    asked.logic.launch.transform = lambda lattice: known_transform(lattice).then(
        Linear(affine((1, 1, 1), origin=(4, 0, 0)))
    )
    asked.ui.refineButton.click()
    finish(widget)
    arguments = asked.logic.launch.started[-1]
    assert {"--refine", "--landmarks", "--brief"} <= set(arguments) and "--initial" not in arguments
    assert asked.parameters.transform is transform
    assert asked.clicking.shown is not None and "similarity" in asked.ui.similarityLabel.text
    expected = scene.GetFirstNodeByName("where the transform puts it").GetNthControlPointPositionWorld(0)
    assert np.allclose(expected, asked.clicking.shown.expected)
    assert np.allclose(
        asked.review._cursor.place, marker + np.array([4.0, 0, 0]), atol=0.05
    )  # without the mouse being moved


def test_refine_works_on_a_moving_scan_below_the_result(widget, asked) -> None:
    asked.parameters.applyToMoving = True
    asked.ui.applyButton.click()
    finish(widget)
    assert asked.parameters.moving.GetParentTransformNode() is asked.parameters.transform
    asked.clicking.ask_again()
    asked.ui.acceptButton.click()
    asked.ui.refineButton.click()
    finish(widget)
    assert words(asked.ui.messageLabel).startswith("Refined")


def test_pairs_are_taken_back_and_odd_ones_named(asked) -> None:
    asked.ui.acceptButton.click()
    asked.ui.takeBackButton.click()
    assert "No pairs yet" in asked.ui.pairsLabel.text and not asked.ui.takeBackButton.enabled
    asked.clicking.ask_again()
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

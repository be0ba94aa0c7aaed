"""What the panel shows beside the run: packages, views, confidence, the linked cursor, landmarks."""

import json
import sys
from pathlib import Path

import numpy as np
import vtk
from DSIRRegistrationLib.nodes.volumes import lattice_of
from DSIRRegistrationLib.quality import REPORT
from mrml_scene import FakeEngine, ball
from shown_panel import FACE, finish, words
from test_nodes_structures import add_segmentation


def test_the_verdict_stands_at_the_top_with_its_reasons_and_comes_back_with_the_node(widget, chosen) -> None:
    label = chosen.ui.verdictLabel
    assert not label.isVisible()
    chosen.ui.applyButton.click()
    assert not label.isVisible()
    finish(widget)
    assert label.isVisible() and "CHECK" in words(label) and "Look at the outlines." in words(label)
    assert "MR to CT (DSIR)" in words(label)
    assert label.mapTo(widget.parent, label.rect.topLeft()).y() < chosen.ui.scansSection.y
    transform, chosen.parameters.transform = chosen.parameters.transform, None
    assert not label.isVisible()
    chosen.parameters.transform = transform
    assert label.isVisible()


def test_a_warning_that_the_verdict_says_already_is_said_once(widget, chosen) -> None:
    chosen.ui.applyButton.click()
    finish(widget)
    transform = chosen.parameters.transform
    report = json.loads(transform.GetAttribute(REPORT))
    reason = report["verdict"]["reasons"][0]["text"]
    report = {**report, "warnings": [reason, "Another thing."], "messages": []}
    transform.SetAttribute(REPORT, json.dumps(report))
    chosen.review.refresh()
    assert reason in words(chosen.ui.verdictLabel)
    assert "Another thing." in words(chosen.ui.warningsLabel) and reason not in words(chosen.ui.warningsLabel)


def test_after_a_run_that_made_nothing_the_earlier_verdict_is_called_so(widget, chosen) -> None:
    label, engine = chosen.ui.verdictLabel, chosen.logic.launch
    chosen.ui.applyButton.click()
    finish(widget)
    assert "earlier result" not in words(label)
    chosen.logic.launch = FakeEngine(polls=10**6)
    chosen.ui.applyButton.click()
    chosen.ui.cancelButton.click()
    assert label.isVisible() and "the last run made none" in words(label)
    chosen.logic.launch = engine
    chosen.ui.applyButton.click()
    finish(widget)
    assert "earlier result" not in words(label)


def test_labels_that_fit_worse_than_before_are_a_fail_at_the_top(widget, chosen, pair, scene) -> None:
    chosen.ui.applyButton.click()
    finish(widget)
    lattice = lattice_of(pair[0])
    ours = add_segmentation(scene, pair[0], {"organ": ball(lattice, lattice.centre, 8)})
    theirs = add_segmentation(scene, pair[0], {"organ": ball(lattice, lattice.centre, 8)})
    chosen.parameters.fixedSegmentation, chosen.parameters.movingSegmentation = ours, theirs
    chosen.ui.evaluateButton.click()
    finish(widget)
    assert words(chosen.ui.verdictLabel).startswith("FAIL") and "worse than before" in words(chosen.ui.verdictLabel)


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


def test_grey_values_fit_the_modality_unless_somebody_chose_them(widget, chosen, pair) -> None:
    from DSIRRegistrationLib.nodes.volumes import array_of
    from DSIRRegistrationLib.nodes.windows import CHOICES

    array_of(pair[0])[:4] = -1000  # a CT
    pair[1].GetDisplayNode().AutoWindowLevelOff()
    pair[1].GetDisplayNode().SetWindowLevel(321.0, 123.0)
    chosen.ui.applyButton.click()
    finish(widget)
    fixed, warped = pair[0].GetDisplayNode(), chosen.parameters.warped.GetDisplayNode()
    assert (fixed.GetWindow(), fixed.GetLevel()) == (400.0, 40.0)
    assert (warped.GetWindow(), warped.GetLevel()) == (321.0, 123.0)
    chosen.ui.windowSelector.setCurrentIndex(1)
    assert (warped.GetWindow(), warped.GetLevel()) == (400.0, 40.0)
    chosen.ui.windowSelector.setCurrentIndex(CHOICES.index("bone"))
    assert (fixed.GetWindow(), fixed.GetLevel()) == (1500.0, 300.0)


def test_the_map_of_confidence_judges_what_is_carried(widget, chosen, pair, scene) -> None:
    from DSIRRegistrationLib.parameters import set_structures
    from standin.application import Shown

    lattice = lattice_of(pair[1])
    organ = add_segmentation(scene, pair[1], {"Organ": ball(lattice, lattice.centre, 14)})
    set_structures(chosen.parameters, [organ])
    chosen.ui.confidenceCheck.setChecked(True)
    chosen.ui.applyButton.click()
    finish(widget)
    table = chosen.ui.qualityTable
    cells = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount)}
    assert "of the body" in cells["Doubtful"] and cells["Organ"].startswith("confidence 0.")
    found = chosen.parameters.confidence
    assert found.GetImageData().GetScalarRange()[1] <= 1.0
    bounds = np.zeros(6)
    found.GetRASBounds(bounds)
    assert (bounds[::2] < lattice_of(pair[0]).centre).all() and (bounds[1::2] > lattice_of(pair[0]).centre).all()
    chosen.ui.confidenceViewButton.click()
    assert Shown.layers["foreground"] is found


def test_the_linked_cursor_follows_the_mouse_into_moving_space(widget, chosen, scene) -> None:
    from DSIRRegistrationLib.nodes.transforms import map_points

    chosen.ui.applyButton.click()
    finish(widget)
    chosen.ui.cursorCheck.setChecked(True)
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS([3.0, 4.0, 5.0])
    expected = map_points(chosen.parameters.transform, np.array([[3.0, 4.0, 5.0]]), to_moving=True)[0]
    assert np.allclose(chosen.review.views._cursor.place, expected, atol=1e-4)
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

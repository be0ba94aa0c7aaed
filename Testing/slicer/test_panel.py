"""The panel as its users meet it: choose, read why Apply is off, apply, watch, cancel, save, load, close."""

import json
import sys
import time

import numpy as np
import pytest
import slicer
import vtk
from DSIRRegistrationLib.nodes.volumes import lattice_of
from mrml_scene import FakeEngine, affine, ball, node_ids
from shown_panel import FACE, finish, standin, words
from test_nodes_structures import add_segmentation


def test_apply_is_off_and_says_why(panel) -> None:
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip.startswith("Choose the fixed scan: the one that stays as it is. Choose the mov")
    assert "Choose the fixed scan" in words(panel.ui.preflightLabel)
    assert "color:gray" in panel.ui.preflightLabel.text and "#c62828" not in panel.ui.preflightLabel.text


def test_two_scans_switch_it_on_and_their_cost_is_said(chosen) -> None:
    assert chosen.ui.applyButton.enabled
    assert "22 × 20 × 24 voxels" in words(chosen.ui.preflightLabel)
    assert "GB of memory" in words(chosen.ui.preflightLabel)


def test_choosing_in_the_selector_is_choosing_in_the_scene(panel, pair) -> None:
    panel.ui.fixedSelector.setCurrentNode(pair[0])
    assert panel.parameters.fixed is pair[0]
    panel.ui.presetSelector.currentIndex = 1
    assert panel.parameters.preset == "head_mr_mr" and "the skull holds" in panel.ui.taskReasonLabel.text
    panel.parameters.preset = "fast"
    assert panel.ui.presetSelector.currentText == "Any two scans, quickly"


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


def test_rigid_only_is_one_tick_and_stands_above_what_is_said_below(chosen) -> None:
    from DSIRRegistrationLib.parameters import task

    chosen.parameters.model, chosen.parameters.deformation = "affine", "yes"
    assert task(chosen.parameters).settings["deformable"] is True
    chosen.ui.rigidCheck.setChecked(True)
    settings = task(chosen.parameters).settings
    assert settings["linear"] == {"model": "rigid"} and settings["deformable"] is False
    assert not chosen.ui.modelSelector.enabled and not chosen.ui.deformationSelector.enabled


def test_the_words_in_the_boxes_are_those_of_every_value(panel) -> None:
    from DSIRRegistrationLib import choices, parameters

    assert set(choices.TASKS) == set(parameters.PRESETS) and next(iter(choices.TASKS)) == "default"
    assert tuple(choices.MODELS) == parameters.MODELS and tuple(choices.STARTS) == parameters.STARTS
    assert tuple(choices.DESCRIPTORS) == parameters.DESCRIPTORS
    for name, offered in (("model", choices.MODELS), ("start", choices.STARTS), ("deformation", choices.DEFORMATIONS)):
        for value, shown in offered.items():
            setattr(panel.parameters, name, value)
            assert getattr(panel.ui, f"{name}Selector").currentText == shown


def test_every_setting_can_be_looked_up_and_changed(widget, chosen) -> None:
    table = chosen.ui.settingsTable
    chosen.ui.settingsSection.collapsed = False
    finish(widget)
    chosen.ui.settingsFilter.setText("levels.0.stiffness.bending")
    assert table.rowCount == 1 and table.item(0, 1).text() == "10.0"
    assert len(table.item(0, 0).toolTip()) > 10
    table.item(0, 1).setText("20")
    assert "bending = 20" in chosen.ui.settingsLabel.text
    chosen.ui.applyButton.click()
    finish(widget)
    arguments = chosen.logic.launch.started[-1]
    assert arguments[arguments.index("--set") + 1] == "descent.levels.0.stiffness.bending=20"
    table.item(0, 1).setText("10.0")
    assert chosen.parameters.changes == "" and not chosen.ui.settingsResetButton.enabled


def test_a_setting_that_cannot_be_is_refused_by_its_name(widget, chosen) -> None:
    chosen.ui.settingsSection.collapsed = False
    finish(widget)
    chosen.ui.settingsFilter.setText("levels.0.iterations")
    chosen.ui.settingsTable.item(0, 1).setText("many")

    class Reads(FakeEngine):
        def register(self, arguments):
            return self.other(arguments)

    chosen.logic.launch = Reads()
    chosen.ui.applyButton.click()
    finish(widget)
    assert "iterations" in words(chosen.ui.messageLabel) and chosen.parameters.transform is None


def test_the_choices_are_the_engines_own() -> None:
    standin.install(FACE)
    from dsir.registration.presets import PRESETS, preset
    from dsir.registration.settings import RegistrationSettings
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
    assert cells["Similarity"] == "0.20 → 0.70" and cells["Folded voxels"] == "0"
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
            print("deep inside", file=sys.stderr)
            said = "Something broke inside dsir; nothing was written."
            print(json.dumps({"error": {"code": "internal", "text": said}}))
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
    assert words(chosen.ui.messageLabel) == "Done. Structures propagated: 1."


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

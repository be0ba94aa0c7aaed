"""The tutorial's steps are those of its test, and they can be done in the panel."""

import re
import sys
import types

import numpy as np
import slicer
import slicer.util
from mrml_scene import ROOT
from shown_panel import FACE, standin


def test_the_document_has_the_steps_of_the_script() -> None:
    standin.install(FACE)
    from DSIRRegistrationLib import tutorial

    text = (ROOT / "Docs" / "tutorial.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (\d+)\. (.+)$", text, re.MULTILINE)
    assert titles == [(str(n), title) for n, (title, _step) in enumerate(tutorial.STEPS, start=1)]
    assert len(tutorial.STEPS) == 10 and all(
        word in text for word in (tutorial.SAMPLE, tutorial.FIXED, tutorial.MOVING)
    )


def test_the_steps_can_be_done_in_the_panel(widget, pair, monkeypatch) -> None:
    from DSIRRegistrationLib import tutorial

    fixed, moving = pair
    fixed.SetName(tutorial.FIXED)
    moving.SetName(tutorial.MOVING)
    asked = []

    def download(name: str) -> list[slicer.vtkMRMLScalarVolumeNode]:
        asked.append(name)
        return [moving, fixed]

    def save(node: slicer.vtkMRMLStorableNode, path: str) -> None:
        storage = node.CreateDefaultStorageNode()
        storage.SetFileName(path)
        assert storage.WriteData(node)

    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(downloadSamples=download))
    monkeypatch.setattr(slicer.util, "saveNode", save, raising=False)
    widget.panel.parameters.descriptor = "mind"
    done = []
    tutorial.Tutorial(widget.panel, done=done.append).walk()
    assert asked == ["CTMRBrain"] and done == list(range(1, 11))
    assert [arguments[0] for arguments in widget.panel.logic.launch.started].count("register") == 2
    assert np.isfinite(slicer.util.arrayFromVolume(widget.panel.parameters.warped)).all()

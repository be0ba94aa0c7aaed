"""The module's panel on a real scene, with an engine that gives known answers: fixtures of all its tests."""

import re
import time

import pytest
import slicer
from mrml_scene import ROOT

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
    return re.sub("<[^>]*>", " ", label.text).strip()

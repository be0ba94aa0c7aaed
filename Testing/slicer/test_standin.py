"""The stand-in is strict where the real application may be silent, and true where it is real."""

import pytest
import slicer
from mrml_scene import ROOT, add_volume
from numpy import eye, zeros

pytest.importorskip("PySide6.QtWidgets", reason="PySide6 (the Qt below the stand-in for PythonQt) is not installed")

import standin


@pytest.fixture
def qt(scene):
    standin.install(ROOT / "DSIRRegistration" / "DSIRRegistration.py")
    import qt

    return qt


def load(qt, tmp_path, inner: str, connections: str = ""):
    text = f'<ui version="4.0"><class>A</class><widget class="qMRMLWidget" name="A">{inner}</widget>{connections}</ui>'
    (tmp_path / "a.ui").write_text(text)
    return slicer.util.loadUI(str(tmp_path / "a.ui"))


def test_properties_are_attributes(qt) -> None:
    label = qt.QLabel()
    label.text = "hello"
    assert label.text == "hello"
    label.setText("again")
    assert label.text == "again"


def test_an_unknown_property_is_an_error(qt) -> None:
    with pytest.raises(AttributeError, match="no property 'txet'"):
        qt.QLabel().txet = "hello"
    with pytest.raises(AttributeError):
        qt.QLabel().txet  # noqa: B018


def test_an_unknown_signal_is_an_error(qt) -> None:
    with pytest.raises(AttributeError):
        qt.QPushButton().pressedTwice.connect(print)
    with pytest.raises(AttributeError, match="no signal"):
        qt.QPushButton().connect("pressedTwice()", print)


def test_signals_connect_by_name_too(qt) -> None:
    heard, button = [], qt.QPushButton()
    button.connect("clicked()", lambda *_: heard.append(1))
    button.click()
    assert heard == [1]


def test_a_connection_to_a_widget_that_is_not_there_is_an_error(qt, tmp_path) -> None:
    connection = (
        "<connections><connection><sender>A</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>"
        "<receiver>nobody</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections>"
    )
    with pytest.raises(LookupError, match="nobody"):
        load(qt, tmp_path, "", connection)


def test_a_node_selector_offers_its_kinds_and_follows_the_scene(qt, scene) -> None:
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes, box.showChildNodeTypes = ["vtkMRMLScalarVolumeNode"], False
    box.setMRMLScene(scene)
    scan = add_volume(scene, "scan", zeros((3, 3, 3)), eye(4))
    label = add_volume(scene, "label", zeros((3, 3, 3)), eye(4), "vtkMRMLLabelMapVolumeNode")
    assert box.nodes() == [scan]
    box.setCurrentNode(scan)
    assert box.currentNode() is scan
    box.setCurrentNode(label)
    assert box.currentNode() is None
    box.setCurrentNode(scan)
    scene.RemoveNode(scan)
    assert box.currentNode() is None


def test_parameters_are_checked_and_live_in_the_node(qt, scene) -> None:
    from DSIRRegistrationLib.parameters import Parameters

    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    p = Parameters(node)
    p.preset, p.capture, p.withJacobian = "fast", 12.5, True
    again = Parameters(node)
    assert (again.preset, again.capture, again.withJacobian) == ("fast", 12.5, True)
    with pytest.raises(ValueError):
        p.preset = "slow"
    with pytest.raises(ValueError):
        p.threads = -1

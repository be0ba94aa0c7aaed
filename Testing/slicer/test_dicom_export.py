"""A result leaves as DICOM that says what the node says, and nothing else than DICOM can be exported."""

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import slicer
from dsir.errors import DsirError
from dsir.files.images import read_image
from dsir.geometry.lattice import Lattice
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from DSIRRegistrationLib.logic import RegistrationLogic
from DSIRRegistrationLib.nodes.transforms import map_points
from DSIRRegistrationLib.nodes.volumes import lattice_of
from mrml_scene import FakeEngine, add_volume, affine, ball, known_transform
from standin.dicom_database import DicomDatabase
from test_nodes_structures import add_segmentation

sys.path.append(str(Path(__file__).parents[1] / "engine"))
from dicom_made import make_series


@pytest.fixture
def loaded(scene, tmp_path, monkeypatch):
    """Two series of one patient, in the database and in the scene."""
    nodes = []
    for name, origin in (("CT", (-30, -28, -26)), ("MR", (-28, -30, -24))):
        matrix = np.diag([-2.5, -2.5, 3.0, 1.0]) @ np.eye(4)
        matrix[:3, 3] = -np.array(origin) * [1, 1, -1]
        folder = make_series(tmp_path / name, Lattice((24, 22, 18), matrix))
        image = read_image(folder)
        node = add_volume(scene, name, image.data.numpy().astype(np.int16), image.lattice.affine)
        uids = [str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in sorted(folder.iterdir())]
        node.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
        nodes.append(node)
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase([tmp_path]), raising=False)
    return nodes


def turn(_lattice: Lattice) -> Transform:
    return Transform((Linear(affine((1, 1, 1), (3, -2, 4), origin=(2, -1, 3))),))


@pytest.mark.parametrize(("transform", "kind"), [(turn, "66.1"), (known_transform, "66.3")])
def test_the_object_says_what_the_node_says(loaded, tmp_path, transform, kind) -> None:
    from dsir.files.transforms import read_transform

    logic = RegistrationLogic(FakeEngine(transform))
    made = logic.register(*loaded)
    (path,) = logic.exportDICOM(made.transform, *loaded, tmp_path / "out")
    found = pydicom.dcmread(path)
    assert str(found.SOPClassUID).endswith(kind) and path.name == "registration.dcm"
    points = lattice_of(loaded[0]).to_world(np.random.default_rng(0).uniform(2, 15, (200, 3)))
    expected = map_points(made.transform, points, to_moving=True)
    assert np.abs(read_transform(path).transform_points(points) - expected).max() < 0.01


def test_structures_leave_as_structure_set_and_segmentation(loaded, tmp_path, scene) -> None:
    lattice = lattice_of(loaded[1])
    organs = add_segmentation(scene, loaded[1], {"Organ": ball(lattice, lattice.centre, 15)})
    logic = RegistrationLogic(FakeEngine(turn))
    made = logic.register(*loaded)
    files = logic.exportDICOM(made.transform, *loaded, tmp_path / "out", structures=[organs])
    kinds = [pydicom.dcmread(file, stop_before_pixels=True).Modality for file in files]
    assert kinds == ["REG", "RTSTRUCT", "SEG"]
    structure = pydicom.dcmread(files[1])
    assert [str(roi.ROIName) for roi in structure.StructureSetROISequence] == ["Organ"]
    with pytest.raises(DsirError, match="exists already"):
        logic.exportDICOM(made.transform, *loaded, tmp_path / "out")


def test_what_is_no_dicom_or_stands_elsewhere_is_refused(loaded, tmp_path, scene) -> None:
    logic = RegistrationLogic(FakeEngine(turn))
    made = logic.register(*loaded)
    couch = scene.AddNewNodeByClass("vtkMRMLTransformNode", "couch")
    loaded[0].SetAndObserveTransformNodeID(couch.GetID())
    with pytest.raises(DsirError, match="CT is under the transform couch"):
        logic.exportDICOM(made.transform, *loaded, tmp_path / "out")
    loaded[0].SetAndObserveTransformNodeID(None)
    loaded[1].RemoveAttribute("DICOM.instanceUIDs")
    with pytest.raises(DsirError, match="MR was not loaded from the DICOM database"):
        logic.exportDICOM(made.transform, *loaded, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_panel_exports_into_the_folder_that_is_chosen(widget, panel, loaded, tmp_path, monkeypatch) -> None:
    from shown_panel import finish, words

    panel.parameters.fixed, panel.parameters.moving = loaded
    assert not panel.ui.exportButton.enabled
    panel.ui.applyButton.click()
    finish(widget)
    monkeypatch.setattr(type(panel.review), "choose_folder", staticmethod(lambda: str(tmp_path / "out")))
    panel.ui.exportButton.click()
    finish(widget)
    assert words(panel.ui.messageLabel) == "Written: registration.dcm."
    assert (tmp_path / "out" / "registration.dcm").is_file()

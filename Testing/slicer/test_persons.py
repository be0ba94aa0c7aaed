"""One person or two: Slicer's DICOM database and its patients are asked, and a difference stops everything."""

import copy
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import slicer
import vtk
from dsir.errors import DsirError
from DSIRRegistrationLib import persons
from DSIRRegistrationLib.logic import RegistrationLogic
from DSIRRegistrationLib.nodes.volumes import lattice_of
from DSIRRegistrationLib.quality import REPORT
from mrml_scene import ball, node_ids
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from standin.dicom_database import DicomDatabase
from test_nodes_structures import add_segmentation

ONE = {"PatientID": "ID-4711", "PatientName": "Secret^Anna", "PatientBirthDate": "19500101", "PatientSex": "F"}
OTHER = {"PatientID": "ID-4712", "PatientName": "Hidden^Otto", "PatientBirthDate": "19500101", "PatientSex": "F"}
WORDS = ("Secret", "Anna", "Hidden", "Otto", "ID-4711", "ID-4712", "19500101")


def instance(folder, patient: dict[str, str]) -> str:
    """A DICOM file of a patient; gives its SOP instance UID."""
    folder.mkdir(exist_ok=True)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID, header.SeriesInstanceUID = CTImageStorage, generate_uid(), generate_uid()
    for keyword, value in patient.items():
        setattr(header, keyword, value)
    pydicom.dcmwrite(folder / f"{header.SOPInstanceUID}.dcm", header, enforce_file_format=True)
    return str(header.SOPInstanceUID)


@pytest.fixture
def loaded(pair, tmp_path, monkeypatch):
    """Give the pair's volumes to patients, as loading them from the database does."""

    def load(fixed: dict[str, str] | None, moving: dict[str, str] | None) -> DicomDatabase:
        for node, patient in zip(pair, (fixed, moving), strict=True):
            if patient is not None:
                uids = " ".join(instance(tmp_path / "dicom", patient) for _ in range(2))
                node.SetAttribute("DICOM.instanceUIDs", uids)
        database = DicomDatabase([tmp_path / "dicom"])
        monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
        return database

    return load


def below_patient(scene, node, patient: dict[str, str]) -> None:
    """The node hangs below a patient of the subject hierarchy, as after loading from the database."""
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    subject = tree.CreateSubjectItem(tree.GetSceneItemID(), "somebody")
    for keyword, value in patient.items():
        tree.SetItemAttribute(subject, f"DICOM.{keyword}", value)
    tree.CreateItem(tree.CreateStudyItem(subject, "study"), node)


def test_two_patients_of_the_database_are_refused_in_one_sentence_that_names_nobody(
    pair, engine, scene, loaded
) -> None:
    loaded(ONE, OTHER)
    before = node_ids(scene)
    with pytest.raises(DsirError) as stopped:
        RegistrationLogic(engine).register(*pair)
    sentence = str(stopped.value)
    assert "CT and MR are of different persons: they differ in patient ID and patient name." in sentence
    assert not any(word in sentence for word in WORDS)
    assert node_ids(scene) == before and not engine.started


def test_one_patient_of_the_database_is_said_to_the_engine_to_be_one(pair, loaded) -> None:
    from mrml_scene import FakeEngine

    seen = []

    class Looks(FakeEngine):
        def register(self, arguments):
            path = arguments[arguments.index("--settings") + 1] if "--settings" in arguments else None
            seen.append(json.loads(Path(path).read_text()) if path else {})
            return super().register(arguments)

    loaded(ONE, {**ONE, "PatientName": "SECRET ANNA"})
    RegistrationLogic(Looks()).register(*pair)
    RegistrationLogic(Looks()).register(*pair, settings="two_persons")
    assert seen == [{"same_person": True}, {}]


def test_said_to_be_two_they_are_registered_and_everything_says_so(pair, engine, scene, loaded) -> None:
    loaded(ONE, OTHER)
    lattice = lattice_of(pair[1])
    organs = add_segmentation(scene, pair[1], {"Organ": ball(lattice, lattice.centre, 14)})
    made = RegistrationLogic(engine).register(*pair, structures=[organs], differentPatients=True)
    assert "two different persons" in made.report["warnings"][0]
    assert "two different persons" in json.loads(made.transform.GetAttribute(REPORT))["warnings"][0]
    assert made.structures[0].GetName().endswith("(DSIR 2 PERSONS)")
    assert not any(word in json.dumps(made.report) for word in WORDS)


@pytest.mark.parametrize(
    "patients", [(None, None), (ONE, None), (ONE, {"PatientID": ""}), (ONE, {"PatientName": "anonymous"})]
)
def test_what_nothing_is_known_of_is_let_through(pair, engine, loaded, tmp_path, patients) -> None:
    (tmp_path / "dicom").mkdir()
    loaded(*patients)
    assert RegistrationLogic(engine).register(*pair).transform is not None


def test_the_patient_in_the_subject_hierarchy_counts_where_there_is_no_database(
    pair, engine, scene, monkeypatch
) -> None:
    monkeypatch.delattr(slicer, "dicomDatabase", raising=False)
    below_patient(scene, pair[0], ONE)
    below_patient(scene, pair[1], {**ONE, "PatientBirthDate": "19600101"})
    with pytest.raises(DsirError, match=r"they differ in date of birth\."):
        RegistrationLogic(engine).register(*pair)


def test_a_closed_database_is_not_asked(pair, loaded) -> None:
    database = loaded(ONE, OTHER)
    database.isOpen = False
    assert persons.two_persons(pair) == "" and not database.asked


def test_a_structure_set_of_another_person_is_refused(pair, engine, scene, loaded) -> None:
    loaded(ONE, ONE)
    lattice = lattice_of(pair[1])
    organs = add_segmentation(scene, pair[1], {"Organ": ball(lattice, lattice.centre, 14)})
    below_patient(scene, organs, OTHER)
    logic = RegistrationLogic(engine)
    with pytest.raises(DsirError, match="are of different persons"):
        logic.register(*pair, structures=[organs])
    made = logic.register(*pair)
    with pytest.raises(DsirError, match="are of different persons"):
        logic.apply(made.transform, [organs], pair[0])
    (clone,) = logic.apply(made.transform, [organs], pair[0], differentPatients=True)
    assert clone.GetName().endswith("(DSIR 2 PERSONS)")


def test_a_structure_set_is_known_by_its_own_instance(pair, scene, loaded, tmp_path, monkeypatch) -> None:
    loaded(ONE, ONE)
    marks = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "marks")
    marks.AddControlPoint(vtk.vtkVector3d(0, 0, 0))
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = tree.CreateItem(tree.GetSceneItemID(), marks)
    tree.SetItemUID(item, "DICOMInstanceUID", instance(tmp_path / "dicom", OTHER))
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase([tmp_path / "dicom"]))
    assert "CT and marks" in persons.two_persons((*pair, marks))


def test_a_batch_with_two_persons_in_a_pair_is_refused_before_it_begins(pair, engine, loaded, tmp_path) -> None:
    loaded(ONE, OTHER)
    with pytest.raises(DsirError, match="The pair 'first': CT and MR are of different persons"):
        RegistrationLogic(engine).batch({"first": {"fixed": pair[0], "moving": pair[1]}}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_panel_says_it_before_apply_and_takes_a_tick_for_it(chosen, loaded, monkeypatch) -> None:
    from shown_panel import words

    assert not chosen.ui.differentPatientsCheck.isVisible()
    loaded(ONE, OTHER)
    chosen._refresh()
    assert "different persons" in words(chosen.ui.preflightLabel) and not chosen.ui.applyButton.enabled
    chosen.ui.differentPatientsCheck.setChecked(True)
    assert chosen.ui.applyButton.enabled and "as you said" in words(chosen.ui.preflightLabel)
    assert chosen.ui.differentPatientsCheck.isVisible()


def test_nothing_of_a_person_is_printed(pair, loaded) -> None:
    loaded(copy.copy(ONE), OTHER)
    assert not any(word in repr(persons.person_of(node)) for node in pair for word in WORDS)
    assert np.all([persons.person_of(node) is not None for node in pair])

"""Whose scan a node is: Slicer's DICOM database says it, and the patient above it in the subject hierarchy.

The names are compared by the engine's own gate, and go nowhere else: no log, no report, no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import slicer
from dsir.errors import DsirError

if TYPE_CHECKING:
    from dsir.dicom.identity import Identity

UIDS = "DICOM.instanceUIDs"
"""Attribute of a volume that was loaded from the database: its slices' SOP instance UIDs."""

TAGS = {
    "PatientID": "0010,0020",
    "PatientName": "0010,0010",
    "PatientBirthDate": "0010,0030",
    "PatientSex": "0010,0040",
}
"""Keyword to what the database calls it."""

IF_MEANT = "If that is meant, tick 'Different patients' (in a script: differentPatients=True)."


def person_of(node: slicer.vtkMRMLNode) -> Identity | None:
    """Whose the node is; None where nothing says it."""
    from dsir.dicom.identity import Identity, identity_of
    from pydicom.dataset import Dataset

    known = _in_tree(node) | _in_database(node)
    header = Dataset()
    for keyword, value in known.items():
        setattr(header, keyword, value)
    who = identity_of(header)
    return None if who == Identity() else who


def two_persons(nodes: Iterable[slicer.vtkMRMLNode]) -> str:
    """One sentence where two of the nodes are of different persons, else empty; it names fields, not what they hold."""
    from dsir.workflow.identity_gate import difference

    named = {node.GetID(): node for node in nodes if node is not None}
    persons = {key: person_of(node) for key, node in named.items()}
    found = difference({key: who for key, who in persons.items() if who is not None})
    if found is None:
        return ""
    first, second = (named[key].GetName() for key in (found.role, found.other))
    return f"{first} and {second} are of different persons: they differ in {' and '.join(found.fields)}. {IF_MEANT}"


def check_one_person(nodes: Iterable[slicer.vtkMRMLNode], *, different_patients: bool) -> tuple[str, ...]:
    """Stop where the nodes are of two persons and nobody said that they may be.

    Returns:
        what every report then carries.

    Raises:
        DsirError: they differ; the sentence of :func:`two_persons`.
    """
    from dsir.workflow.identity_gate import TWO_PERSONS

    sentence = two_persons(nodes)
    if sentence and not different_patients:
        raise DsirError(sentence)
    return (TWO_PERSONS,) if sentence else ()


def surely_one_person(fixed: slicer.vtkMRMLNode, moving: slicer.vtkMRMLNode) -> bool:
    """Whether DICOM says that both are of one person: nobody grows between two scans, then."""
    from dsir.workflow.identity_gate import one_person

    return one_person(person_of(fixed), person_of(moving))


def _in_database(node: slicer.vtkMRMLNode) -> dict[str, str]:
    """What the database holds of the first of the node's instances."""
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        return {}
    instances = (node.GetAttribute(UIDS) or "").split() or _instances_in_tree(node)
    if not instances:
        return {}
    found = {keyword: str(database.instanceValue(instances[0], tag)) for keyword, tag in TAGS.items()}
    return {keyword: value for keyword, value in found.items() if value}


def _in_tree(node: slicer.vtkMRMLNode) -> dict[str, str]:
    """What the patient above the node says in the subject hierarchy: it is saved with the scene."""
    tree, item = _item(node)
    names = slicer.vtkMRMLSubjectHierarchyConstants
    patient = tree.GetItemAncestorAtLevel(item, names.GetDICOMLevelPatient()) if item else 0
    if not patient:
        return {}
    found = {keyword: tree.GetItemAttribute(patient, f"DICOM.{keyword}") for keyword in TAGS}
    return {keyword: value for keyword, value in found.items() if value}


def _instances_in_tree(node: slicer.vtkMRMLNode) -> list[str]:
    """SOP instance UIDs that the node's item carries: structure sets and segmentations have theirs there."""
    tree, item = _item(node)
    text = tree.GetItemUID(item, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMInstanceUIDName()) if item else ""
    return (text or "").split()


def _item(node: slicer.vtkMRMLNode) -> tuple[slicer.vtkMRMLSubjectHierarchyNode | None, int]:
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene()) if node.GetScene() else None
    return tree, tree.GetItemByDataNode(node) if tree is not None else 0

"""A window that fits the modality: organs of a CT can be told, whatever else lies in it."""

import numpy as np
import slicer
from DSIRRegistrationLib.nodes.windows import chosen_by_hand, show_with, shows_ct
from mrml_scene import add_volume


def head(scene, name: str, values: tuple[float, float, float]):
    """Background, soft tissue and something dense."""
    data = np.full((20, 20, 20), values[0], np.int16)
    data[4:16, 4:16, 4:16] = values[1]
    data[9:11, 9:11, 9:11] = values[2]
    return add_volume(scene, name, data, np.eye(4))


def shown(node) -> tuple[float, float]:
    return node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()


def test_a_ct_is_known_by_its_values_or_by_dicom(scene) -> None:
    ct, mr = head(scene, "CT", (-1000, 40, 1200)), head(scene, "MR", (0, 400, 900))
    assert shows_ct(ct) and not shows_ct(mr)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    tree.SetItemAttribute(tree.CreateItem(tree.GetSceneItemID(), ct), "DICOM.Modality", "MR")
    assert not shows_ct(ct)


def test_both_are_shown_as_chosen_and_ct_windows_leave_an_mr_alone(scene) -> None:
    ct, mr = head(scene, "CT", (-1000, 40, 1200)), head(scene, "MR", (0, 400, 900))
    assert not chosen_by_hand(ct)
    show_with("fitting", ct, mr)
    before = shown(mr)
    assert shown(ct) == (400.0, 40.0) and 390 <= before[1] - before[0] / 2 <= before[1] + before[0] / 2 <= 910
    show_with("bone", ct, mr)
    assert shown(ct) == (1500.0, 300.0) and shown(mr) == before and chosen_by_hand(ct)
    show_with("as fixed", ct, mr)
    assert shown(mr) == shown(ct)

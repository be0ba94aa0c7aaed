"""A window that fits the modality: organs of a CT can be told, whatever else lies in it."""

import numpy as np
import slicer
from DSIRRegistrationLib.nodes.windows import chosen_by_hand, fitting, is_ct, show_with
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
    assert is_ct(ct) and not is_ct(mr)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    tree.SetItemAttribute(tree.CreateItem(tree.GetSceneItemID(), ct), "DICOM.Modality", "MR")
    assert not is_ct(ct)


def test_windows_fit_soft_tissue_of_a_ct_and_the_body_of_an_mr(scene) -> None:
    assert fitting(head(scene, "CT", (-1000, 40, 1200))) == (400.0, 40.0)
    width, level = fitting(head(scene, "MR", (0, 400, 900)))
    assert level - width / 2 >= 390 and level + width / 2 <= 910


def test_both_are_shown_as_chosen_and_ct_windows_leave_an_mr_alone(scene) -> None:
    ct, mr = head(scene, "CT", (-1000, 40, 1200)), head(scene, "MR", (0, 400, 900))
    assert not chosen_by_hand(ct)
    show_with("fitting", ct, mr)
    before = shown(mr)
    show_with("bone", ct, mr)
    assert shown(ct) == (2000.0, 300.0) and shown(mr) == before and chosen_by_hand(ct)
    show_with("as fixed", ct, mr)
    assert shown(mr) == shown(ct)

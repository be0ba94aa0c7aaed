"""Clicking in real MRML: heat map, cursors, transforms, stale features, accepted pairs."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from dsir.errors import DsirError
from DSIRRegistrationLib.heatmap import HeatMap
from DSIRRegistrationLib.pairs import Pairs, apart, landmarks
from DSIRRegistrationLib.querypoint import Hover, QueryPoint
from DSIRRegistrationLib.roles import FIXED, MOVING
from DSIRRegistrationLib.similarity import Similarity
from mrml_scene import FakeEngine, add_volume, affine, node_ids

SHIFT = np.array([6.0, -4.0, 8.0])


def texture(points: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(5)
    waves = rng.standard_normal((60, 3))
    waves *= (2 * np.pi / rng.uniform(10, 40, 60) / np.linalg.norm(waves, axis=1))[:, None]
    return np.cos(points @ waves.T + rng.uniform(0, 6, 60)).sum(-1)


def textured(scene, name: str, shape: tuple[int, int, int], shift: np.ndarray) -> slicer.vtkMRMLScalarVolumeNode:
    """The texture, moved by ``shift``, in a ball of 34 mm around it; air elsewhere."""
    matrix = affine((2, 2, 2), origin=shift - np.array(shape) + 1)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    world = index @ matrix[:3, :3].T + matrix[:3, 3] - shift
    values = np.where(np.linalg.norm(world, axis=-1) < 34, 200 + 4 * texture(world), 0)
    return add_volume(scene, name, values.astype(np.float32), matrix)


@pytest.fixture
def similarity(scene):
    """A fixed and a moving volume of the same texture, the second moved by SHIFT; MIND features of both."""
    fixed, moving = textured(scene, "CT", (40, 38, 36), np.zeros(3)), textured(scene, "MR", (38, 40, 42), SHIFT)
    made = Similarity(fixed, moving, launch=FakeEngine(polls=1))
    for _ in made.compute("mind"):
        pass
    return made


def test_a_click_shows_its_match_and_the_heat_map_peaks_there(similarity: Similarity) -> None:
    point = np.array([5.0, -7.0, 3.0])
    shown = similarity.ask(FIXED, point, "mind")
    assert np.linalg.norm(shown.match - point - SHIFT) < 2.0
    heat = slicer.util.arrayFromVolume(similarity.heat.volume)
    k, j, i = np.unravel_index(heat.argmax(), heat.shape)
    matrix = vtk.vtkMatrix4x4()
    similarity.heat.volume.GetIJKToRASMatrix(matrix)
    assert np.linalg.norm(np.array(matrix.MultiplyPoint((i, j, k, 1)))[:3] - point - SHIFT) < 3.0


def test_the_way_back_ends_where_it_began(similarity: Similarity) -> None:
    point = np.array([5.0, -7.0, 3.0])
    there = similarity.ask(FIXED, point, "mind").match
    assert np.linalg.norm(similarity.ask(MOVING, there, "mind").match - point) < 3.0


def test_alone_every_voxel_is_asked_and_with_its_surroundings_every_second(similarity: Similarity) -> None:
    point = np.array([5.0, -7.0, 3.0])
    together, alone = (similarity.ask(FIXED, point, "mind", alone=alone).answer for alone in (False, True))
    assert np.allclose(together.lattice.spacing, 2 * alone.lattice.spacing)
    assert together.margin > 0.1
    assert alone.margin < together.margin  # MIND sees the same in many places
    shown = slicer.util.arrayFromVolume(similarity.heat.volume)
    assert np.allclose(shown.transpose(2, 1, 0), alone.similarity)


def test_the_same_memory_is_filled_at_every_click(similarity: Similarity) -> None:
    similarity.ask(FIXED, np.zeros(3), "mind")
    before = similarity.heat.volume.GetImageData()
    similarity.ask(FIXED, np.array([5.0, 5.0, 5.0]), "mind")
    assert similarity.heat.volume.GetImageData() is before


def test_a_transform_on_the_moving_volume_moves_the_heat_map_and_the_match_with_it(similarity: Similarity) -> None:
    point = np.array([5.0, -7.0, 3.0])
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "found")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(affine((1, 1, 1), origin=-SHIFT)))
    similarity.volumes[MOVING].SetAndObserveTransformNodeID(node.GetID())
    shown = similarity.ask(FIXED, point, "mind")
    assert np.linalg.norm(shown.match - point) < 2.0
    assert shown.apart < 2.0
    assert similarity.heat.volume.GetParentTransformNode() is node
    assert "from where the transform puts it" in shown.sentence


def test_a_chosen_transform_gives_the_second_cursor_and_the_middle_of_the_search(similarity: Similarity) -> None:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "start")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(affine((1, 1, 1), origin=-SHIFT - [3, 0, 0])))
    similarity.transform = node
    point = np.array([5.0, -7.0, 3.0])
    shown = similarity.ask(FIXED, point, "mind", radius=10.0)
    assert np.allclose(shown.expected, point + SHIFT + [3, 0, 0], atol=1e-6)
    assert shown.apart == pytest.approx(3.0, abs=2.0)


def test_air_outside_and_missing_features_are_said_politely(similarity: Similarity) -> None:
    with pytest.raises(DsirError, match="outside"):
        similarity.ask(FIXED, np.array([500.0, 0, 0]), "mind")
    with pytest.raises(DsirError, match="features of CT are not computed"):
        similarity.ask(FIXED, np.zeros(3), "dsir")


def test_a_changed_volume_makes_its_features_stale_until_they_are_computed_again(similarity: Similarity) -> None:
    volume = similarity.volumes[FIXED]
    slicer.util.arrayFromVolume(volume)[10:20] *= 2
    slicer.util.arrayFromVolumeModified(volume)
    assert not similarity.ready("mind")
    with pytest.raises(DsirError, match="CT has changed"):
        similarity.ask(FIXED, np.zeros(3), "mind")
    for _ in similarity.compute("mind"):
        pass
    assert similarity.ready("mind")
    similarity.ask(FIXED, np.zeros(3), "mind")


def test_nothing_of_it_is_saved_and_nothing_stays_behind(scene) -> None:
    before = node_ids(scene)
    volume = textured(scene, "CT", (12, 12, 12), np.zeros(3))
    kept = node_ids(scene)
    heat = HeatMap(scene)
    heat.legend()
    assert not heat.volume.GetSaveWithScene()
    heat.threshold = 0.55
    assert heat.display.GetLowerThreshold() == pytest.approx(0.55)
    heat.remove()
    assert node_ids(scene) == kept
    assert kept - before >= {volume.GetID()}


def test_placing_and_dragging_the_point_asks_and_leaving_stops(scene) -> None:
    told: list[np.ndarray] = []
    point = QueryPoint(scene, told.append)
    point.place(np.array([1.0, 2.0, 3.0]))
    assert np.allclose(told[-1], [1, 2, 3])
    point._last = 0.0
    point.node.SetNthControlPointPosition(0, 4.0, 5.0, 6.0)
    assert np.allclose(told[-1], [4, 5, 6])
    count = len(told)
    for step in range(20):  # faster than answers are wanted
        point.node.SetNthControlPointPosition(0, 4.0 + step, 5.0, 6.0)
    assert len(told) <= count + 1
    node = point.node
    point.remove()
    node.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent)
    assert len(told) <= count + 1


def test_hovering_follows_the_crosshair_only_while_it_is_on(scene) -> None:
    told: list[np.ndarray] = []
    hover = Hover(scene, told.append)
    hover.crosshair.SetCursorPositionRAS([1.0, 2.0, 3.0])
    assert not told
    hover.on = True
    hover.crosshair.SetCursorPositionRAS([4.0, 5.0, 6.0])
    assert np.allclose(told[-1], [4, 5, 6])
    hover.on = False
    hover.crosshair.SetCursorPositionRAS([7.0, 8.0, 9.0])
    assert len(told) == 1


def test_accepted_matches_become_pairs_and_can_be_taken_back(similarity: Similarity) -> None:
    pairs = Pairs(similarity.volumes[FIXED], similarity.volumes[MOVING])
    points = [np.array([5.0, -7.0, 3.0]), np.array([-7.0, 3.0, 5.0])]
    for point in points:
        pairs.accept(similarity.ask(FIXED, point, "mind"))
    found = landmarks(*pairs.nodes.values())
    assert np.allclose(found.fixed, points)
    assert np.abs(found.moving - found.fixed - SHIFT).max() < 2.0
    assert np.allclose(apart(found, None), np.linalg.norm(found.moving - found.fixed, axis=1))
    pairs.take_back()
    assert len(pairs) == 1
    again = Pairs(similarity.volumes[FIXED], similarity.volumes[MOVING], tuple(pairs.nodes.values()))
    assert len(again) == 1  # the same nodes, found again through the parameter node


def test_pairs_mean_the_same_once_the_moving_scan_hangs_below_the_result(similarity: Similarity) -> None:
    """The engine registers the scan as it was acquired, wherever the views show it by now."""
    pairs = Pairs(similarity.volumes[FIXED], similarity.volumes[MOVING])
    pairs.accept(similarity.ask(FIXED, np.array([5.0, -7.0, 3.0]), "mind"))
    acquired = landmarks(*pairs.nodes.values())
    result = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "result")
    result.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(affine((1, 1, 1), (4, 3, -5), origin=-SHIFT)))
    similarity.volumes[MOVING].SetAndObserveTransformNodeID(result.GetID())
    pairs.accept(similarity.ask(FIXED, np.array([-7.0, 3.0, 5.0]), "mind"))
    found = landmarks(*pairs.nodes.values(), below=result)
    assert np.allclose(found.moving[0], acquired.moving[0], atol=1e-6)
    assert np.abs(found.moving[1] - found.fixed[1] - SHIFT).max() < 2.0


def test_pairs_that_are_no_pairs_are_refused_by_name(similarity: Similarity) -> None:
    pairs = Pairs(similarity.volumes[FIXED], similarity.volumes[MOVING])
    pairs.add(np.zeros(3), np.zeros(3))
    pairs.nodes[FIXED].AddControlPoint(vtk.vtkVector3d(1, 2, 3))
    with pytest.raises(DsirError, match=r"DSIR pairs \(fixed\) has 2 points and DSIR pairs \(moving\) has 1"):
        landmarks(*pairs.nodes.values())

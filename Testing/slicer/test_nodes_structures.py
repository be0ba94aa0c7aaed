"""Segments, markups and models come out of the scene and go back whole."""

import numpy as np
import pytest
import slicer
import vtk
from dsir.errors import DsirError
from dsir.geometry.lattice import Lattice
from DSIRRegistrationLib.nodes.segments import layers, place_segmentation, segment_mask
from DSIRRegistrationLib.nodes.shapes import paired_points, place_points, points_of
from DSIRRegistrationLib.nodes.volumes import lattice_of
from mrml_scene import GRIDS, add_volume, affine, ball

SHAPE = (24, 22, 20)


def add_segmentation(scene, volume, masks: dict[str, np.ndarray]):
    """A segmentation in the voxels of ``volume``; (I, J, K) bool by name."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    placed = place_segmentation(_named(node, masks), masks, volume, name="organs")
    scene.RemoveNode(node)
    return placed


def _named(node, masks):
    for name in masks:
        node.GetSegmentation().AddEmptySegment(name, name, (1.0, 0.5, 0.25))
    return node


@pytest.fixture
def organs(scene):
    """Two touching balls, one that overlaps both, on an oblique grid."""
    volume = add_volume(scene, "MR", np.zeros(SHAPE, np.int16), GRIDS["oblique"])
    lattice = lattice_of(volume)
    masks = {
        "liver": ball(lattice, lattice.centre, 12),
        "tumour": ball(lattice, lattice.centre + 4, 5),
        "kidney": ball(lattice, lattice.centre + np.array([0, 18, 0]), 4) & ~ball(lattice, lattice.centre, 12),
    }
    return add_segmentation(scene, volume, masks), masks, lattice


def put(layer, lattice: Lattice, segment: str) -> np.ndarray:
    """The layer's segment as (I, J, K) bool on ``lattice``."""
    out = np.zeros(lattice.shape, bool)
    index = np.argwhere(layer.labels == layer.segments.index(segment) + 1)
    at = np.rint(lattice.to_index(layer.lattice.to_world(index))).astype(int)
    out[tuple(at.T)] = True
    return out


def test_overlapping_segments_go_into_separate_layers_and_none_loses_a_voxel(organs) -> None:
    node, masks, lattice = organs
    found = layers(node, None)
    assert [layer.segments for layer in found] == [("liver", "kidney"), ("tumour",)]
    for layer in found:
        for segment in layer.segments:
            assert np.array_equal(put(layer, lattice, segment), masks[segment])


def test_the_segmentations_own_parent_counts(scene, organs) -> None:
    node, masks, lattice = organs
    parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "parent")
    moved = affine((1, 1, 1), (0, 0, 20), origin=(5, 0, 0))
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(moved))
    node.SetAndObserveTransformNodeID(parent.GetID())
    layer = layers(node, None)[0]
    assert np.array_equal(put(layer, Lattice(lattice.shape, moved @ lattice.affine), "liver"), masks["liver"])


def test_an_empty_or_missing_segment_is_named(organs) -> None:
    node, _, _ = organs
    node.GetSegmentation().AddEmptySegment("void", "Void")
    with pytest.raises(DsirError, match="segment Void of organs is empty"):
        segment_mask(node, "void", None)
    with pytest.raises(DsirError, match="no segment nothing"):
        segment_mask(node, "nothing", None)
    assert all("void" not in layer.segments for layer in layers(node, None))


def test_a_closed_surface_is_filled_without_touching_the_node(scene) -> None:
    volume = add_volume(scene, "CT", np.zeros(SHAPE, np.int16), GRIDS["left-handed"])
    lattice = lattice_of(volume)
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*lattice.centre)
    sphere.SetRadius(10)
    sphere.SetThetaResolution(40)
    sphere.SetPhiResolution(40)
    sphere.Update()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "rt")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "PTV", (1, 0, 0), "ptv")
    mask, found = segment_mask(node, "ptv", volume)
    volume_mm3 = mask.sum() * np.prod(found.spacing)
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.05)
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")


def test_a_placed_segmentation_keeps_names_colours_overlaps_and_geometry(organs, scene) -> None:
    node, masks, _ = organs
    node.GetSegmentation().GetSegment("tumour").SetColor(0.1, 0.9, 0.3)
    fixed = add_volume(scene, "CT", np.zeros(SHAPE, np.int16), GRIDS["left-handed"])
    placed = place_segmentation(node, masks, fixed, name="carried")
    found = layers(placed, None)
    for layer in found:
        for segment in layer.segments:
            assert np.array_equal(put(layer, lattice_of(fixed), segment), masks[segment])
    assert placed.GetSegmentation().GetSegment("tumour").GetColor() == (0.1, 0.9, 0.3)


def test_markups_move_and_the_original_stays(scene) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "marks")
    for n in range(3):
        node.AddControlPoint(vtk.vtkVector3d(n, 2 * n, -n), f"P{n}")
    node.UnsetNthControlPointPosition(1)
    parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "parent")
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(affine((1, 1, 1), origin=(10, 0, 0))))
    node.SetAndObserveTransformNodeID(parent.GetID())
    points = points_of(node)
    assert np.allclose(points.places, [[10, 0, 0], [12, 4, -2]])
    clone = place_points(points, points.places + 1, name="moved")
    assert np.allclose(clone.GetNthControlPointPositionWorld(2), (13, 5, -1))
    assert clone.GetNthControlPointLabel(2) == "P2" and clone.GetNumberOfControlPoints() == 3
    assert node.GetNthControlPointPosition(2) == (2, 4, -2)


def test_a_plane_is_refused(scene) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsPlaneNode", "plane")
    with pytest.raises(DsirError, match="plane cannot be propagated"):
        points_of(node)


def test_a_model_moves_with_fresh_normals_and_the_original_stays(scene) -> None:
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "surface")
    node.SetAndObserveMesh(sphere.GetOutput())
    points = points_of(node)
    clone = place_points(points, points.places * [1, 1, 3], name="stretched")
    bounds = clone.GetMesh().GetBounds()
    assert bounds[5] == pytest.approx(1.5) and node.GetMesh().GetBounds()[5] == pytest.approx(0.5)
    assert clone.GetMesh().GetPointData().GetNormals() is not None


def test_landmarks_pair_by_label_where_they_can_and_by_order_where_they_cannot(scene) -> None:
    a, b = (scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", n) for n in "ab")
    for label, x in (("apex", 0), ("base", 10)):
        a.AddControlPoint(vtk.vtkVector3d(x, 0, 0), label)
    for label, x in (("base", 10), ("apex", 0)):
        b.AddControlPoint(vtk.vtkVector3d(x, 1, 0), label)
    fixed, moving = paired_points(a, b)
    assert np.allclose(fixed[:, 0], moving[:, 0])
    b.SetNthControlPointLabel(0, "other")
    assert np.allclose(paired_points(a, b)[1][:, 0], [10, 0])
    b.AddControlPoint(vtk.vtkVector3d(0, 0, 0), "third")
    with pytest.raises(DsirError, match="a has 2 points and b has 3"):
        paired_points(a, b)

"""Transform nodes say exactly what the engine, SimpleITK and a saved file say."""

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from dsir.errors import DsirError
from dsir.files.displacements import write_displacement_nifti
from dsir.files.transforms import read_transform
from dsir.files.transforms import write_transform as write_file
from dsir.geometry.lattice import Lattice
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from DSIRRegistrationLib.nodes.transforms import (
    describe_transform,
    load_transform,
    map_points,
    place_transform,
    transform_of,
    write_transform,
)
from DSIRRegistrationLib.nodes.transforms import read_transform as read_node
from DSIRRegistrationLib.nodes.vtk_transforms import flatten, make_linear
from mrml_scene import GRIDS, add_volume, affine, known_transform, vtk_points


def points_in(lattice: Lattice, count: int = 200) -> np.ndarray:
    return lattice.to_world(np.random.default_rng(1).uniform(1, np.array(lattice.shape) - 2, (count, 3)))


@pytest.mark.parametrize("linear", [False, True], ids=["grid", "grid and linear"])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_node_maps_points_as_the_engine_and_simpleitk_do(scene, tmp_path, grid, linear) -> None:
    lattice = Lattice((14, 12, 13), GRIDS[grid])
    transform = known_transform(lattice, linear=linear)
    write_file(tmp_path / "t.h5", transform)
    node = load_transform(tmp_path / "t.h5", scene, name="t")
    points = points_in(lattice)
    expected = transform.transform_points(points)
    assert np.abs(vtk_points(node.GetTransformFromParent(), points) - expected).max() < 1e-4
    lps = np.array([-1, -1, 1])
    itk = sitk.ReadTransform(str(tmp_path / "t.h5"))
    assert np.abs(np.array([itk.TransformPoint(p) for p in points * lps]) * lps - expected).max() < 1e-4


def test_it_is_a_from_parent_oriented_grid_on_a_plain_transform_node(scene, tmp_path) -> None:
    write_file(tmp_path / "t.h5", known_transform(Lattice((9, 9, 9), GRIDS["oblique"]), linear=False))
    node = load_transform(tmp_path / "t.h5", scene, name="t")
    grid = node.GetTransformFromParent()
    assert node.GetClassName() == "vtkMRMLTransformNode"
    assert grid.GetClassName() == "vtkOrientedGridTransform" and not grid.GetInverseFlag()
    assert grid.GetInterpolationModeAsString() == "Linear"
    assert np.allclose(np.array(grid.GetDisplacementGrid().GetSpacing()), (2, 2.5, 3), atol=1e-4)


def test_with_a_linear_part_it_is_a_composition_of_both(scene, tmp_path) -> None:
    write_file(tmp_path / "t.h5", known_transform(Lattice((9, 9, 9), GRIDS["straight"])))
    node = load_transform(tmp_path / "t.h5", scene, name="t")
    kinds = sorted(part.GetClassName() for part in flatten(node.GetTransformFromParent()))
    assert kinds == ["vtkOrientedGridTransform", "vtkTransform"]


def test_the_field_ends_where_its_grid_ends(scene, tmp_path) -> None:
    lattice = Lattice((12, 12, 12), GRIDS["straight"])
    write_file(tmp_path / "t.h5", known_transform(lattice, linear=False))
    node = load_transform(tmp_path / "t.h5", scene, name="t")
    outside = lattice.centre + np.array([[100.0, 0, 0], [0, -80, 30]])
    assert np.allclose(vtk_points(node.GetTransformFromParent(), outside), outside, atol=1e-6)


def test_a_displacement_image_dragged_into_slicer_is_read_as_what_it_is(scene, tmp_path) -> None:
    """Its intent decides: under the plain vector intent Slicer takes RAS vectors for LPS."""
    lattice = Lattice((12, 10, 11), GRIDS["straight"])
    field = known_transform(lattice, linear=False).parts[0]
    write_displacement_nifti(tmp_path / "displacement.nii.gz", field)
    node = load_transform(tmp_path / "displacement.nii.gz", scene, name="dragged in")
    points = lattice.to_world(np.array([[5, 5, 5], [6.5, 4, 7.2]]))
    found = vtk_points(node.GetTransformFromParent(), points)
    assert np.abs(found - field.transform_points(points)).max() < 1e-3
    assert np.linalg.norm(found - points, axis=1).max() > 2.0


def test_the_inverse_comes_back(scene, tmp_path) -> None:
    lattice = Lattice((14, 12, 13), GRIDS["left-handed"])
    write_file(tmp_path / "t.h5", known_transform(lattice))
    node = load_transform(tmp_path / "t.h5", scene, name="t")
    points = points_in(lattice)
    there = map_points(node, points, to_moving=True)
    assert np.abs(map_points(node, there, to_moving=False) - points).max() < 0.02


@pytest.mark.parametrize("suffix", ["h5", "mrb"])
def test_a_saved_transform_is_the_same_after_loading(scene, tmp_path, suffix) -> None:
    lattice = Lattice((14, 12, 13), GRIDS["oblique"])
    transform = known_transform(lattice)
    write_file(tmp_path / "t.h5", transform)
    node = load_transform(tmp_path / "t.h5", scene, name="t")
    fixed = add_volume(scene, "CT", np.zeros((4, 5, 6), np.int16), GRIDS["straight"])
    describe_transform(node, fixed, fixed, "how it was made")
    points = points_in(lattice)
    if suffix == "h5":
        write_transform(tmp_path / "again.h5", node, None)
        again = read_transform(tmp_path / "again.h5")
        assert np.abs(again.transform_points(points) - transform.transform_points(points)).max() < 1e-4
        return
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    (tmp_path / "open").mkdir()
    other = slicer.vtkMRMLScene()
    application = slicer.vtkMRMLApplicationLogic()
    application.SetMRMLScene(other)
    application.SetTemporaryPath(str(tmp_path))
    assert application.OpenSlicerDataBundle(str(tmp_path / "scene.mrb"), str(tmp_path / "open"))
    found = other.GetFirstNodeByName("t")
    make_linear(found.GetTransformFromParent())
    error = vtk_points(found.GetTransformFromParent(), points) - transform.transform_points(points)
    assert np.abs(error).max() < 1e-4
    role = slicer.vtkMRMLTransformNode.GetFixedNodeReferenceRole()
    assert found.GetNodeReference(role).GetName() == "CT"
    assert found.GetDescription() == "how it was made"


def test_a_linear_start_is_written_with_its_parents(scene, tmp_path) -> None:
    above, node = (scene.AddNewNodeByClass("vtkMRMLTransformNode", n) for n in ("above", "start"))
    first, second = affine((1, 1, 1), (10, 0, 5), origin=(1, 2, 3)), affine((1, 1, 1), (0, 0, 30), origin=(5, 0, 0))
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(first))
    above.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(second))
    node.SetAndObserveTransformNodeID(above.GetID())
    found = transform_of(node)
    points = np.random.default_rng(0).normal(0, 50, (20, 3))
    back = np.c_[found.transform_points(points), np.ones(20)] @ (second @ first).T
    assert np.allclose(back[:, :3], points, atol=1e-6)  # a node applied to moving takes moving to fixed


def thin_plate() -> vtk.vtkThinPlateSplineTransform:
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for point in np.random.default_rng(3).uniform(-20, 20, (8, 3)):
        source.InsertNextPoint(point)
        target.InsertNextPoint(point + np.array([2.0, -1, 0.5]) * np.sin(point / 15))
    plate = vtk.vtkThinPlateSplineTransform()
    plate.SetSourceLandmarks(source)
    plate.SetTargetLandmarks(target)
    plate.SetBasisToR()
    return plate


@pytest.mark.parametrize("grid", ["oblique", "left-handed"])
def test_a_start_that_files_cannot_hold_is_sampled(scene, tmp_path, grid) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "plate")
    node.SetAndObserveTransformFromParent(thin_plate())
    lattice = Lattice((20, 20, 20), GRIDS[grid])
    points = points_in(lattice)
    found = transform_of(node, lattice)
    assert np.abs(found.transform_points(points) - vtk_points(thin_plate(), points)).max() < 0.1
    with pytest.raises(DsirError, match="fixed volume"):
        write_transform(tmp_path / "x.h5", node, None)


def test_an_inverted_grid_is_sampled_too(scene, tmp_path) -> None:
    lattice = Lattice((14, 12, 13), GRIDS["oblique"])
    transform = known_transform(lattice, linear=False)
    write_file(tmp_path / "t.h5", transform)
    node = load_transform(tmp_path / "t.h5", scene, name="t")
    node.Inverse()
    points = points_in(lattice)
    there = transform_of(node, lattice).transform_points(points)
    assert np.abs(transform.transform_points(there) - points).max() < 0.25


def test_a_linear_result_is_a_linear_transform_node(scene, tmp_path) -> None:
    turn = affine((1, 1, 1), (3, -2, 4), origin=(2, -1, 3))
    write_file(tmp_path / "t.h5", Transform((Linear(turn),)))
    node = place_transform(scene, read_node(tmp_path / "t.h5"), name="rigid")
    assert node.GetClassName() == "vtkMRMLLinearTransformNode" and node.IsLinear()
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformFromParent(matrix)
    assert np.allclose(slicer.util.arrayFromVTKMatrix(matrix), turn, atol=1e-6)


def test_a_field_takes_a_linear_nodes_place_and_what_hangs_below_it(scene, tmp_path) -> None:
    write_file(tmp_path / "linear.h5", Transform((Linear(np.eye(4)),)))
    linear = place_transform(scene, read_node(tmp_path / "linear.h5"), name="result")
    below = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    below.SetAndObserveTransformNodeID(linear.GetID())
    write_file(tmp_path / "field.h5", known_transform(Lattice((12, 12, 12), np.diag((4.0, 4, 4, 1)))))
    field = place_transform(scene, read_node(tmp_path / "field.h5"), name="other", target=linear)
    assert field.GetClassName() == "vtkMRMLTransformNode" and not field.IsLinear() and field.GetName() == "result"
    assert below.GetParentTransformNode() is field and linear.GetScene() is None
    assert place_transform(scene, read_node(tmp_path / "linear.h5"), name="x", target=field) is field
    assert field.IsLinear()

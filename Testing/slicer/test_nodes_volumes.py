"""Volumes keep their place in the world, whatever grid and parents they have."""

import numpy as np
import pytest
import slicer
import torch
from dsir.errors import DsirError
from dsir.files.images import read_image, write_image
from dsir.geometry.image import Image
from dsir.geometry.lattice import Lattice
from DSIRRegistrationLib.nodes.slabs import read_slabs, write_slabs
from DSIRRegistrationLib.nodes.volumes import image_of, lattice_of, place_volume, write_volume
from mrml_scene import GRIDS, add_volume, affine


@pytest.mark.parametrize("grid", GRIDS)
def test_a_voxel_is_where_mrml_says(scene, grid, tmp_path) -> None:
    node = add_volume(scene, "scan", np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6), GRIDS[grid])
    write_volume(tmp_path / "scan.nii", node)
    image = read_image(tmp_path / "scan.nii")
    assert np.allclose(image.lattice.affine, GRIDS[grid], atol=1e-5)
    assert image.data[3, 1, 2] == node.GetImageData().GetScalarComponentAsDouble(3, 1, 2, 0)
    assert np.array_equal(image_of(node).data, image.data)


def test_a_linear_parent_moves_the_voxels(scene) -> None:
    node = add_volume(scene, "scan", np.zeros((4, 5, 6), np.int16), GRIDS["oblique"])
    parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "parent")
    above = scene.AddNewNodeByClass("vtkMRMLTransformNode", "above")
    first, second = affine((1, 1, 1), (10, 0, 0), origin=(1, 2, 3)), affine((1, 1, 1), (0, 0, 30))
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(first))
    above.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(second))
    parent.SetAndObserveTransformNodeID(above.GetID())
    node.SetAndObserveTransformNodeID(parent.GetID())
    assert np.allclose(lattice_of(node).affine, second @ first @ GRIDS["oblique"])


def test_a_non_linear_parent_is_refused_by_name(scene) -> None:
    node = add_volume(scene, "scan", np.zeros((4, 5, 6), np.int16), GRIDS["straight"])
    parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bent")
    parent.SetAndObserveTransformFromParent(slicer.vtkOrientedGridTransform())
    node.SetAndObserveTransformNodeID(parent.GetID())
    with pytest.raises(DsirError, match="non-linear transform bent"):
        lattice_of(node)


@pytest.mark.parametrize(
    ("shape", "matrix", "why"),
    [
        ((5, 5, 1), np.eye(4), "single slice"),
        ((4, 4, 4), np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "sheared"),
    ],
)
def test_what_cannot_be_registered_is_said(scene, shape, matrix, why) -> None:
    node = add_volume(scene, "scan", np.zeros(shape, np.int16), matrix)
    with pytest.raises(DsirError, match=f"^scan.*{why}"):
        lattice_of(node)


def test_an_empty_volume_is_refused(scene) -> None:
    with pytest.raises(DsirError, match="holds no voxels"):
        lattice_of(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan"))


def test_a_result_lies_voxel_by_voxel_on_its_reference(scene) -> None:
    fixed = add_volume(scene, "fixed", np.zeros((4, 5, 6), np.int16), GRIDS["left-handed"])
    parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "parent")
    fixed.SetAndObserveTransformNodeID(parent.GetID())
    values = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    node = place_volume(values, fixed, name="result")
    assert lattice_of(node).matches(lattice_of(fixed))
    assert node.GetImageData().GetScalarComponentAsDouble(1, 2, 3, 0) == values[1, 2, 3]
    assert node.GetParentTransformNode() is parent


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.uint32])
def test_slabs_are_the_same_file_and_the_same_voxels(scene, tmp_path, monkeypatch, kind) -> None:
    monkeypatch.setattr("DSIRRegistrationLib.nodes.slabs.VOXELS", 13)  # less than a plane
    values = np.random.default_rng(0).integers(0, 900, (5, 6, 7)).astype(kind)
    node = add_volume(scene, "CT", values, GRIDS["left-handed"])
    assert all(write_slabs(tmp_path / "scan.nii", node, lattice_of(node)))
    found = read_image(tmp_path / "scan.nii")
    assert found.lattice.matches(lattice_of(node)) and np.array_equal(found.data.numpy(), values)
    steps = read_slabs(tmp_path / "scan.nii")
    image = _last(steps)
    assert [int(image.GetScalarComponentAsDouble(*index, 0)) for index in ((1, 2, 3), (4, 5, 6))] == [
        values[1, 2, 3],
        values[4, 5, 6],
    ]


def test_packed_fractions_become_whole_hounsfield_units_within_their_limits(tmp_path) -> None:
    values = np.array([[[-40000.0, -1.6], [0.4, 40000.0]]], dtype=np.float32)
    write_image(tmp_path / "warped.nii.gz", Image(torch.from_numpy(values), Lattice(values.shape, np.eye(4))))
    image = _last(read_slabs(tmp_path / "warped.nii.gz", np.dtype(np.int16)))
    found = [image.GetScalarComponentAsDouble(0, j, k, 0) for j in range(2) for k in range(2)]
    assert found == [-32768, -2, 0, 32767]


def _last(steps):
    while True:
        try:
            assert next(steps)  # more at hand, nothing to wait for
        except StopIteration as end:
            return end.value

"""Transforms in files mean the same to SimpleITK as to us."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from dsir.errors import DsirError, TransformError
from dsir.files.displacements import write_displacement_nifti
from dsir.files.transforms import read_transform, write_transform
from dsir.transforms.composite import Transform
from dsir.transforms.linear import Linear
from grids import GRIDS, field_of, lattice, points_inside, rotation

LPS = np.array([-1.0, -1.0, 1.0])


def by_itk(transform: sitk.Transform, points: np.ndarray) -> np.ndarray:
    """RAS points through a SimpleITK transform."""
    return np.array([transform.TransformPoint(point) for point in (points * LPS).tolist()]) * LPS


def affine(degrees: float = 12.0, shift: tuple[float, float, float] = (5.0, -8.0, 3.0)) -> Linear:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(degrees) @ np.diag([1.05, 0.95, 1.1])
    matrix[:3, 3] = shift
    return Linear(matrix)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("kind", [".h5", ".tfm"])
def test_sitk_maps_points_through_a_written_field_as_we_do(tmp_path, grid, kind):
    transform = Transform((field_of(grid),))
    write_transform(tmp_path / f"t{kind}", transform)
    points = points_inside(grid)
    read = sitk.ReadTransform(str(tmp_path / f"t{kind}"))
    assert np.abs(by_itk(read, points) - transform.transform_points(points)).max() < 1e-3
    again = read_transform(tmp_path / f"t{kind}")
    assert np.abs(again.transform_points(points) - transform.transform_points(points)).max() < 1e-4


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_a_chain_keeps_its_order_in_a_composite(tmp_path, grid):
    transform = Transform((affine(5, (1, 2, 3)), field_of(grid), Linear(np.eye(4)), affine()))
    write_transform(tmp_path / "t.h5", transform)
    points = points_inside(grid, margin=6 if min(grid.shape) > 12 else 4)
    read = sitk.ReadTransform(str(tmp_path / "t.h5"))
    assert np.abs(by_itk(read, points) - transform.transform_points(points)).max() < 1e-3
    again = read_transform(tmp_path / "t.h5")
    assert len(again.parts) == 3  # the identity says nothing
    assert np.abs(again.transform_points(points) - transform.transform_points(points)).max() < 1e-3


def test_a_written_field_is_right_handed_for_every_reader(tmp_path):
    write_transform(tmp_path / "t.h5", Transform((field_of(GRIDS["oblique and left-handed"]),)))
    field = sitk.DisplacementFieldTransform(sitk.ReadTransform(str(tmp_path / "t.h5"))).GetDisplacementField()
    assert np.linalg.det(np.array(field.GetDirection()).reshape(3, 3)) > 0


def test_no_parts_are_written_as_the_identity(tmp_path):
    write_transform(tmp_path / "t.tfm", Transform())
    assert by_itk(sitk.ReadTransform(str(tmp_path / "t.tfm")), np.array([[1.0, 2.0, 3.0]])).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_the_displacement_image_is_five_dimensional_ras_and_a_displacement_by_intent(tmp_path, grid):
    field = field_of(grid)
    write_displacement_nifti(tmp_path / "u.nii.gz", field)
    file = nib.load(tmp_path / "u.nii.gz")
    assert file.shape == (*grid.shape, 1, 3) and file.header.get_intent()[0] == "displacement vector"
    assert np.allclose(file.affine, grid.affine, atol=1e-4) and np.allclose(file.get_qform(), grid.affine, atol=1e-3)
    x = np.array([4, 5, 6])
    assert np.allclose(np.asarray(file.dataobj)[4, 5, 6, 0], field.at(grid.to_world(x)[None])[0], atol=1e-4)
    again = read_transform(tmp_path / "u.nii.gz").parts[0]
    assert again.lattice.matches(grid) and np.allclose(again.vectors, field.vectors)


@pytest.mark.parametrize("name", ["u.nrrd", "u.mha"])
def test_slicers_field_in_nrrd_has_lps_vectors(tmp_path, name):
    grid = GRIDS["oblique and left-handed"]
    image = sitk.Image([int(n) for n in grid.shape], sitk.sitkVectorFloat64, 3)
    image.SetSpacing(grid.spacing.tolist())
    image.SetOrigin((grid.origin * LPS).tolist())
    image.SetDirection((LPS[:, None] * grid.directions).ravel().tolist())
    image.SetPixel([3, 4, 5], (1.0, 2.0, 3.0))
    sitk.WriteImage(image, str(tmp_path / name))
    field = read_transform(tmp_path / name).parts[0]
    assert field.lattice.matches(grid)
    assert field.vectors[:, 3, 4, 5].tolist() == [-1.0, -2.0, 3.0]


LINEAR = {
    "Euler": sitk.Euler3DTransform((3.0, 4.0, 5.0), 0.1, -0.2, 0.3, (7.0, 8.0, 9.0)),
    "versor": sitk.VersorTransform((0.0, 0.0, 1.0), 0.4, (1.0, 2.0, 3.0)),
    "versor rigid": sitk.VersorRigid3DTransform((1.0, 0.0, 0.0), 0.4, (10.0, -3.0, 2.0), (5.0, 5.0, 5.0)),
    "similarity": sitk.Similarity3DTransform(1.3, (0.0, 1.0, 0.0), 0.2, (1.0, 2.0, 3.0), (4.0, 4.0, 4.0)),
    "scale": sitk.ScaleTransform(3, (1.1, 0.9, 1.2)),
    "translation": sitk.TranslationTransform(3, (1.0, -2.0, 30.0)),
}


@pytest.mark.parametrize("transform", LINEAR.values(), ids=LINEAR.keys())
def test_every_linear_kind_of_itk_becomes_a_matrix(tmp_path, transform):
    sitk.WriteTransform(transform, str(tmp_path / "t.tfm"))
    points = points_inside(GRIDS["plain"])
    read = read_transform(tmp_path / "t.tfm")
    assert all(isinstance(part, Linear) for part in read.parts)
    assert np.abs(read.transform_points(points) - by_itk(transform, points)).max() < 1e-6


def test_a_long_composite_keeps_its_order(tmp_path):
    inner = sitk.CompositeTransform([LINEAR["Euler"], LINEAR["scale"]])
    whole = sitk.CompositeTransform([LINEAR["similarity"], inner, LINEAR["translation"]])
    whole.FlattenTransform()
    points = points_inside(GRIDS["plain"])
    for name in ("a.h5", "a.tfm"):
        sitk.WriteTransform(whole, str(tmp_path / name))
        read = read_transform(tmp_path / name)
        assert len(read.parts) == 1  # all linear: one matrix
        assert np.abs(read.transform_points(points) - by_itk(whole, points)).max() < 1e-6


@pytest.mark.parametrize("kind", ["AffineTransform", "MatrixOffsetTransformBase"])
def test_ants_affine_files_are_read(tmp_path, kind):
    (tmp_path / "t.txt").write_text(
        f"#Insight Transform File V1.0\n#Transform 0\nTransform: {kind}_double_3_3\n"
        "Parameters: 0.9 0.1 0 -0.1 1.1 0 0 0.05 1 4 5 6\nFixedParameters: 10 20 30\n"
    )
    points = points_inside(GRIDS["plain"])
    expected = by_itk(sitk.ReadTransform(str(tmp_path / "t.txt")), points)
    assert np.abs(read_transform(tmp_path / "t.txt").transform_points(points) - expected).max() < 1e-6
    matlab = sitk.AffineTransform((0.9, 0.1, 0, -0.1, 1.1, 0, 0, 0.05, 1), (4.0, 5.0, 6.0), (10.0, 20.0, 30.0))
    sitk.WriteTransform(matlab, str(tmp_path / "t.mat"))
    assert np.abs(read_transform(tmp_path / "t.mat").transform_points(points) - expected).max() < 1e-6


def test_a_b_spline_is_sampled_closely(tmp_path):
    spline = sitk.BSplineTransform(3, 3)
    spline.SetTransformDomainOrigin((-40.0, -10.0, 5.0))
    spline.SetTransformDomainPhysicalDimensions((80.0, 70.0, 60.0))
    spline.SetTransformDomainDirection((LPS[:, None] * rotation(10)).ravel().tolist())
    spline.SetTransformDomainMeshSize((4, 4, 3))
    random = np.random.default_rng(1)
    spline.SetParameters(random.normal(0, 4, len(spline.GetParameters())).tolist())
    sitk.WriteTransform(spline, str(tmp_path / "t.tfm"))
    field = read_transform(tmp_path / "t.tfm").parts[0]
    points = points_inside(field.lattice, 400, margin=0.5)
    assert np.abs(field.transform_points(points) - by_itk(spline, points)).max() < 0.03
    assert field.vectors[:, -1].abs().max() > 0.5  # the far face is not read as unmoved


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.h5", b"nothing"), ("a.tfm", b"no transform"), ("a.mat", b"x"), ("a.nii.gz", b"text"), ("a.nrrd", b"text")],
)
def test_what_is_no_transform_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DsirError, match=name):
        read_transform(tmp_path / name)


def test_a_cut_transform_is_refused_without_a_word_from_hdf5(tmp_path, capfd):
    write_transform(tmp_path / "t.h5", Transform((field_of(lattice((8, 8, 8))),)))
    whole = (tmp_path / "t.h5").read_bytes()
    (tmp_path / "t.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TransformError, match=r"t\.h5"):
        read_transform(tmp_path / "t.h5")
    assert capfd.readouterr() == ("", "")


def test_missing_planar_and_scalar_files_are_refused_by_name(tmp_path):
    with pytest.raises(DsirError, match=r"none\.h5 does not exist"):
        read_transform(tmp_path / "none.h5")
    sitk.WriteTransform(sitk.Euler2DTransform(), str(tmp_path / "flat.tfm"))
    with pytest.raises(TransformError, match=r"flat\.tfm"):
        read_transform(tmp_path / "flat.tfm")
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4)), tmp_path / "s.nii.gz")
    with pytest.raises(TransformError, match=r"s\.nii\.gz is not a displacement field"):
        read_transform(tmp_path / "s.nii.gz")
    with pytest.raises(DsirError, match="written as"):
        write_transform(tmp_path / "t.nrrd", Transform())


def test_a_field_with_nan_is_refused(tmp_path):
    field = field_of(lattice((6, 6, 6)))
    field.vectors[0, 1, 2, 3] = float("nan")
    write_displacement_nifti(tmp_path / "u.nii.gz", field)
    with pytest.raises(TransformError, match="NaN"):
        read_transform(tmp_path / "u.nii.gz")

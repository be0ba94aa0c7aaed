"""DICOM registration objects: written for planning systems, read from them; what ITK computes is what we compute."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import torch
from dicom_made import make_series
from dsir.cli.main import main
from dsir.dicom.series import Series, read_series
from dsir.errors import DsirError, TransformError
from dsir.files.dicom_registration import Frames, read_registration
from dsir.files.transforms import read_transform
from dsir.geometry.lattice import Lattice
from dsir.rt.registration_out import matrix_type, write_registration
from dsir.transforms.composite import Transform
from dsir.transforms.field import DisplacementField
from dsir.transforms.linear import Linear
from phantoms import lattice_of
from scipy.spatial.transform import Rotation

pytestmark = pytest.mark.slow

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Series, Series]:
    root = tmp_path_factory.mktemp("pair")
    return tuple(read_series(make_series(root / name, lattice_of())) for name in ("fixed", "moving"))


def rigid() -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [4, -7, 11], degrees=True).as_matrix()
    matrix[:3, 3] = [12.0, -5.0, 8.5]
    return matrix


def wave(lattice: Lattice) -> DisplacementField:
    """Smooth, up to 6 mm, not nought at its border."""
    world = lattice.to_world(np.stack(np.meshgrid(*(np.arange(n) for n in lattice.shape), indexing="ij"), -1))
    u = np.stack([4 * np.sin(world[..., 1] / 17), 3 * np.cos(world[..., 2] / 13), 2 + 4 * np.sin(world[..., 0] / 23)])
    return DisplacementField(torch.from_numpy(u.astype(np.float32)), lattice)


def chains(fixed: Lattice) -> dict[str, Transform]:
    scaled = rigid()
    scaled[:3, :3] = scaled[:3, :3] @ np.diag([1.1, 0.95, 1.0])
    left_handed = Lattice(fixed.shape, fixed.affine @ np.diag([-1.0, 1, 1, 1])).with_spacing(6.0)
    smaller = fixed.window(np.array([4, 4, 4]), tuple(n - 8 for n in fixed.shape))
    return {
        "rigid": Transform((Linear(rigid()),)),
        "scaled": Transform((Linear(scaled),)),
        "two linear parts": Transform((Linear(rigid()), Linear(scaled))),
        "field": Transform((wave(fixed.with_spacing(5.0)),)),
        "field and matrix": Transform((wave(fixed.with_spacing(5.0)), Linear(rigid()))),
        "left-handed grid": Transform((wave(left_handed), Linear(rigid()))),
        "grid smaller than the scan": Transform((wave(smaller), Linear(rigid()))),
    }


def inside(lattice: Lattice, count: int = 1000) -> np.ndarray:
    return lattice.to_world(np.random.default_rng(3).uniform(0, 1, (count, 3)) * (np.array(lattice.shape) - 1))


@pytest.mark.parametrize("name", list(chains(lattice_of())))
def test_what_is_written_is_read_again(name: str, pair: tuple[Series, Series], tmp_path: Path) -> None:
    fixed, moving = pair
    transform, path = chains(fixed.lattice)[name], tmp_path / "reg.dcm"
    kind = write_registration(path, transform, fixed, moving)
    assert kind == ("spatial" if name in ("rigid", "scaled", "two linear parts") else "deformable")
    points = inside(fixed.lattice)
    for again in (
        read_transform(path),
        read_registration(path, Frames(fixed.frame_of_reference, moving.frame_of_reference)),
    ):
        assert np.abs(again.transform_points(points) - transform.transform_points(points)).max() < 0.01


@pytest.mark.parametrize("name", ["field and matrix", "left-handed grid"])
def test_itk_reading_the_grid_by_the_standards_equation_agrees(
    name: str, pair: tuple[Series, Series], tmp_path: Path
) -> None:
    fixed, moving = pair
    transform = chains(fixed.lattice)[name]
    write_registration(tmp_path / "reg.dcm", transform, fixed, moving)
    item = pydicom.dcmread(tmp_path / "reg.dcm").DeformableRegistrationSequence[0]
    grid = item.DeformableRegistrationGridSequence[0]
    vectors = np.frombuffer(grid.VectorGridData, "<f4").reshape(*list(grid.GridDimensions)[::-1], 3)
    image = sitk.GetImageFromArray(vectors.astype(np.float64), isVector=True)
    row, column = np.array(grid.ImageOrientationPatient[:3], float), np.array(grid.ImageOrientationPatient[3:], float)
    image.SetDirection(np.stack([row, column, np.cross(row, column)], 1).ravel().tolist())
    image.SetOrigin([float(v) for v in grid.ImagePositionPatient])
    image.SetSpacing([float(v) for v in grid.GridResolution])
    post = np.array(item.PostDeformationMatrixRegistrationSequence[0].FrameOfReferenceTransformationMatrix, float)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(post.reshape(4, 4)[:3, :3].ravel().tolist())
    affine.SetTranslation(post.reshape(4, 4)[:3, 3].tolist())
    field = sitk.DisplacementFieldTransform(image)
    points = inside(fixed.lattice)
    theirs = [affine.TransformPoint(field.TransformPoint(p)) for p in (points * [-1, -1, 1]).tolist()]
    assert np.abs(np.array(theirs) * [-1, -1, 1] - transform.transform_points(points)).max() < 0.01


def test_a_rigid_objects_matrix_leads_from_moving_to_fixed(pair: tuple[Series, Series], tmp_path: Path) -> None:
    fixed, moving = pair
    write_registration(tmp_path / "reg.dcm", Transform((Linear(rigid()),)), fixed, moving)
    dataset = pydicom.dcmread(tmp_path / "reg.dcm")
    assert dataset.FrameOfReferenceUID == fixed.frame_of_reference
    still, moved = dataset.RegistrationSequence
    assert still.FrameOfReferenceUID == fixed.frame_of_reference
    assert moved.FrameOfReferenceUID == moving.frame_of_reference
    one = moved.MatrixRegistrationSequence[0].MatrixSequence[0]
    assert one.FrameOfReferenceTransformationMatrixType == "RIGID"
    matrix = np.array(one.FrameOfReferenceTransformationMatrix, float).reshape(4, 4)
    np.testing.assert_allclose(matrix @ LPS @ rigid() @ LPS, np.eye(4), atol=1e-8)
    references = {image.ReferencedSOPInstanceUID for image in moved.ReferencedImageSequence}
    assert references == {part.sop_instance for part in moving.slices.values()}
    assert "ApprovalStatus" not in dataset and dataset.PatientName == fixed.header.PatientName


def test_matrix_types() -> None:
    scaled, sheared, mirrored = rigid(), rigid(), rigid()
    scaled[:3, :3] = scaled[:3, :3] @ np.diag([1.1, 0.9, 1.0])
    sheared[0, 1] += 0.1
    mirrored[:3, 0] *= -1
    assert [matrix_type(m) for m in (rigid(), scaled, sheared, mirrored)] == [
        "RIGID",
        "RIGID_SCALE",
        "AFFINE",
        "AFFINE",
    ]


def respell(path: Path, change) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


def test_several_matrices_meet_the_point_one_after_the_other(pair: tuple[Series, Series], tmp_path: Path) -> None:
    fixed, moving = pair
    write_registration(tmp_path / "reg.dcm", Transform((Linear(rigid()),)), fixed, moving)
    shift = np.eye(4)
    shift[:3, 3] = [3.0, -2.0, 10.0]

    def put_a_shift_first(dataset: pydicom.Dataset) -> None:
        sequence = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence
        one = pydicom.Dataset()
        one.FrameOfReferenceTransformationMatrixType = "RIGID"
        one.FrameOfReferenceTransformationMatrix = shift.ravel().tolist()
        sequence.insert(0, one)

    path = respell(tmp_path / "reg.dcm", put_a_shift_first)
    backwards = np.linalg.inv(LPS @ rigid() @ LPS) @ shift  # moving to fixed, LPS: the shift, then the rest
    expected = LPS @ np.linalg.inv(backwards) @ LPS
    points = inside(fixed.lattice, 50)
    found = read_transform(path).transform_points(points)
    np.testing.assert_allclose(found, points @ expected[:3, :3].T + expected[:3, 3], atol=1e-6)


def test_among_several_registrations_the_scans_frames_pick_one(pair: tuple[Series, Series], tmp_path: Path) -> None:
    fixed, moving = pair
    write_registration(tmp_path / "reg.dcm", Transform((Linear(rigid()),)), fixed, moving)

    def add_another(dataset: pydicom.Dataset) -> None:
        other = pydicom.Dataset.from_json(dataset.RegistrationSequence[1].to_json())
        other.FrameOfReferenceUID = "1.2.3.4"
        other.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix[3] = 99
        dataset.RegistrationSequence.append(other)

    path = respell(tmp_path / "reg.dcm", add_another)
    with pytest.raises(TransformError, match="several registrations"):
        read_transform(path)
    found = read_registration(path, Frames(fixed.frame_of_reference, moving.frame_of_reference))
    points = inside(fixed.lattice, 20)
    np.testing.assert_allclose(found.transform_points(points), Linear(rigid()).transform_points(points), atol=1e-6)
    with pytest.raises(TransformError, match="other frames of reference"):
        read_registration(path, Frames("9.9", "8.8"))


def test_a_rigid_object_read_for_exchanged_scans_is_turned_round(pair: tuple[Series, Series], tmp_path: Path) -> None:
    fixed, moving = pair
    write_registration(tmp_path / "reg.dcm", Transform((Linear(rigid()),)), fixed, moving)
    back = read_registration(tmp_path / "reg.dcm", Frames(moving.frame_of_reference, fixed.frame_of_reference))
    points = inside(fixed.lattice, 20)
    np.testing.assert_allclose(back.transform_points(Linear(rigid()).transform_points(points)), points, atol=1e-6)


def test_a_deformable_object_of_other_or_exchanged_scans_is_refused(
    pair: tuple[Series, Series], tmp_path: Path
) -> None:
    fixed, moving = pair
    write_registration(tmp_path / "reg.dcm", chains(fixed.lattice)["field and matrix"], fixed, moving)
    with pytest.raises(TransformError, match="exchange the scans"):
        read_registration(tmp_path / "reg.dcm", Frames(moving.frame_of_reference, fixed.frame_of_reference))
    with pytest.raises(TransformError, match="another scan than the moving"):
        read_registration(tmp_path / "reg.dcm", Frames(fixed.frame_of_reference, "8.8"))


def test_a_pre_deformation_matrix_and_undefined_vectors_are_read(pair: tuple[Series, Series], tmp_path: Path) -> None:
    fixed, moving = pair
    field = wave(fixed.lattice.with_spacing(5.0))
    write_registration(tmp_path / "reg.dcm", Transform((field,)), fixed, moving)

    def change(dataset: pydicom.Dataset) -> None:
        item = dataset.DeformableRegistrationSequence[0]
        item.PreDeformationMatrixRegistrationSequence[0].FrameOfReferenceTransformationMatrix = (
            (LPS @ rigid() @ LPS).ravel().tolist()
        )
        grid = item.DeformableRegistrationGridSequence[0]
        values = np.frombuffer(grid.VectorGridData, "<f4").copy().reshape(-1, 3)
        values[0] = np.nan
        grid.VectorGridData = values.tobytes()

    found = read_transform(respell(tmp_path / "reg.dcm", change))
    points = inside(fixed.lattice, 200)
    points = points[(np.linalg.norm(points - fixed.lattice.to_world(np.zeros(3)), axis=1) > 40)]
    np.testing.assert_allclose(
        found.transform_points(points), Linear(rigid()).transform_points(points) + field.at(points), atol=0.01
    )
    assert np.isfinite(found.transform_points(inside(fixed.lattice))).all()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda d: delattr(d, "DeformableRegistrationSequence"), "holds no registration"),
        (lambda d: setattr(grid_of(d), "GridDimensions", [10**6, 10**6, 10**6]), "cannot be"),
        (lambda d: setattr(grid_of(d), "GridResolution", [0.0, 1.0, 1.0]), "cannot be"),
        (lambda d: setattr(grid_of(d), "VectorGridData", b"\0" * 24), "not all there"),
        (lambda d: delattr(grid_of(d), "ImagePositionPatient"), "where its deformation grid lies"),
    ],
)
def test_a_spoiled_object_is_refused_in_a_sentence(
    spoil, sentence, pair: tuple[Series, Series], tmp_path: Path
) -> None:
    fixed, moving = pair
    write_registration(tmp_path / "reg.dcm", Transform((wave(fixed.lattice.with_spacing(8.0)),)), fixed, moving)
    with pytest.raises(TransformError, match=sentence):
        read_transform(respell(tmp_path / "reg.dcm", spoil))


def grid_of(dataset: pydicom.Dataset) -> pydicom.Dataset:
    return dataset.DeformableRegistrationSequence[0].DeformableRegistrationGridSequence[0]


def test_a_series_without_a_frame_of_reference_is_refused(pair: tuple[Series, Series], tmp_path: Path) -> None:
    folder = make_series(tmp_path / "bare", lattice_of())
    for file in folder.iterdir():
        respell(file, lambda d: delattr(d, "FrameOfReferenceUID"))
    with pytest.raises(DsirError, match="refers to the moving series by its FrameOfReferenceUID"):
        write_registration(tmp_path / "reg.dcm", Transform(), pair[0], read_series(folder))
    assert not (tmp_path / "reg.dcm").exists()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is missing: nobody else validated the object")
@pytest.mark.parametrize("name", ["rigid", "field and matrix"])
def test_dciodvfy_finds_no_error(name: str, pair: tuple[Series, Series], tmp_path: Path) -> None:
    write_registration(tmp_path / "reg.dcm", chains(pair[0].lattice)[name], *pair)
    said = subprocess.run(["dciodvfy", str(tmp_path / "reg.dcm")], capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr + said.stdout, said.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registration of two series by the command line, with its object."""
    root = tmp_path_factory.mktemp("run")
    make_series(root / "fixed", lattice_of(), values=shape_at(np.zeros(3)))
    make_series(root / "moving", lattice_of(), values=shape_at(np.array([6.0, -4.0, 5.0])))
    words = ["register", "--fixed", str(root / "fixed"), "--moving", str(root / "moving"), "-o", str(root / "out")]
    assert main([*words, "--preset", "fast", "--rigid", "--dicom-reg", str(root / "reg.dcm"), "--quiet"]) == 0
    return root


def shape_at(shift: np.ndarray):
    """HU of a few boxes in water, moved by ``shift``."""

    def values(world: np.ndarray) -> np.ndarray:
        p = world - lattice_of().centre - shift
        body = (np.abs(p) < [30, 36, 26]).all(-1)
        bone = (np.abs(p - [8, 10, 4]) < [6, 9, 7]).all(-1)
        air = (np.abs(p - [-12, -6, 5]) < [8, 5, 6]).all(-1)
        return np.where(bone, 800.0, np.where(air, -700.0, np.where(body, 40.0, -1000.0)))

    return values


def test_register_writes_the_object_and_apply_and_initial_take_it(run: Path, tmp_path: Path) -> None:
    ours, theirs = read_transform(run / "out" / "transform.h5"), read_transform(run / "reg.dcm")
    points = inside(lattice_of())
    assert np.abs(ours.transform_points(points) - theirs.transform_points(points)).max() < 0.01
    words = ["apply", "-t", str(run / "reg.dcm"), "--image", str(run / "moving"), "--reference", str(run / "fixed")]
    assert main([*words, "-o", str(tmp_path / "warped.nii.gz"), "--quiet"]) == 0
    words = ["register", "--fixed", str(run / "fixed"), "--moving", str(run / "moving")]
    words += ["--initial", str(run / "reg.dcm")]
    assert main([*words, "-o", str(tmp_path / "again"), "--preset", "fast", "--model", "none", "--quiet"]) == 0
    again = read_transform(tmp_path / "again" / "transform.h5").transform_points(points)
    assert np.abs(again - ours.transform_points(points)).max() < 0.01


def test_export_writes_it_from_a_finished_result(run: Path, tmp_path: Path) -> None:
    words = ["--fixed-series", str(run / "fixed"), "--moving-series", str(run / "moving")]
    words += ["-o", str(tmp_path / "r.dcm")]
    assert main(["export", str(run / "out"), *words, "--label", "Week 2", "--pseudonym", "P7", "--quiet"]) == 0
    dataset = pydicom.dcmread(tmp_path / "r.dcm")
    assert (dataset.ContentLabel, str(dataset.PatientName), dataset.PatientSex) == ("WEEK 2", "P7", "")


def test_a_result_is_not_exported_as_that_of_other_series(run: Path, tmp_path: Path, capsys) -> None:
    words = ["--fixed-series", str(run / "moving"), "--moving-series", str(run / "fixed")]
    assert main(["export", str(run / "out"), *words, "-o", str(tmp_path / "r.dcm"), "--quiet"]) == 2
    assert "was made of another fixed series" in capsys.readouterr().err and not (tmp_path / "r.dcm").exists()


def test_without_two_dicom_series_there_is_no_object_and_no_run(run: Path, tmp_path: Path, capsys) -> None:
    words = ["register", "--fixed", str(run / "out" / "warped.nii.gz"), "--moving", str(run / "moving")]
    assert main([*words, "-o", str(tmp_path / "out"), "--dicom-reg", str(tmp_path / "reg.dcm"), "--quiet"]) != 0
    assert "needs two DICOM series" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
